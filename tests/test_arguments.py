"""What an argument may be: the words of every check, and the plain value that comes out."""

from pathlib import Path

import numpy as np
import pytest

from corr2d.arguments import as_path, both_axes, choice, flag, real, whole, whole_pair
from corr2d.errors import Refused


def size(name, side):
    return whole(name, side, 1)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda: whole("n", np.int8(3), 1), 3),
        (lambda: whole("n", -7), -7),
        (lambda: whole("n", 5, 0, 5), 5),
        (lambda: real("n", np.float32(0.5)), 0.5),
        (lambda: real("n", 0, least=0), 0.0),
        (lambda: choice("n", "b", ("a", "b")), "b"),
        (lambda: choice("n", np.int64(8), (4, 8)), 8),
        (lambda: choice("n", "b", {"a": 1, "b": 2}), "b"),
        (lambda: flag("n", np.True_), True),
        (lambda: both_axes("n", np.array([1, 2]), size), (1, 2)),
        (lambda: both_axes("n", 3, size), (3, 3)),
        (lambda: whole_pair("n", np.int16(3), least=1), (3, 3)),
        (lambda: whole_pair("n", range(1, 3), least=1), (1, 2)),
        (lambda: as_path("p", Path("a") / "b"), str(Path("a") / "b")),
        (lambda: as_path("p", b"a.png"), "a.png"),
    ],
)
def test_what_is_right_comes_out_plain(found, expected):
    assert found() == expected
    assert not isinstance(found(), np.generic) or isinstance(found(), np.int64)


@pytest.mark.parametrize(
    ("check", "kind", "message"),
    [
        (lambda: whole("n", 1.0, 1), TypeError, r"n must be an int of at least 1, got 1\.0\."),
        (lambda: whole("n", True), TypeError, r"n must be an int, got True\."),
        (lambda: whole("n", np.True_), TypeError, "n must be an int, got bool"),
        (lambda: whole("n", np.ones(2, int)), TypeError, r"an int, got ndarray of shape \(2,\)"),
        (lambda: whole("n", np.int8(0), 1), ValueError, r"n must be an int of at least 1, got 0\."),
        (lambda: whole("n", 6, 0, 5), ValueError, r"n must be an int from 0 to 5, got 6\."),
        (lambda: whole("n", 6, 0, 5, rule="a page", remedy="Turn."), ValueError, r"a page, got 6\. Turn\."),
        (lambda: real("n", "1", "a number of pixels"), TypeError, "n must be a number of pixels, got '1'"),
        (lambda: real("n", False), TypeError, "n must be a number, got False"),
        (lambda: real("n", -1, least=0), ValueError, "n must be a number of at least 0, got -1"),
        (lambda: real("n", 0, above=0), ValueError, "n must be a number above 0, got 0"),
        (lambda: real("n", float("nan")), ValueError, "n must be a number, got nan"),
        (lambda: choice("n", 1, ("a", "b")), TypeError, r"n must be one of 'a', 'b', got 1\."),
        (
            lambda: choice("n", "ligth", ("light", "dark")),
            ValueError,
            r"got 'ligth'\. Did you mean 'light'\?",
        ),
        (lambda: choice("n", True, (1, 2)), TypeError, "n must be one of 1, 2, got True"),
        (lambda: choice("n", ["a"], {"a": 1}), TypeError, r"n must be one of 'a', got \['a'\]"),
        (lambda: flag("n", 1), TypeError, r"n must be True or False, got 1\."),
        (
            lambda: both_axes("n", (1, 2, 3), size),
            ValueError,
            r"one value or a pair \(y, x\), got \(1, 2, 3\)",
        ),
        (lambda: whole_pair("n", (1, 0), least=1), ValueError, "pair of ints, each at least 1, got 0"),
        (
            lambda: whole_pair("n", (1,), least=1),
            ValueError,
            r"got \(1,\)\. A plain int stands for both axes\.",
        ),
        (lambda: as_path("p", 3), TypeError, r"p must be a file name \(str or os\.PathLike\), got 3"),
        (lambda: as_path("p", ""), ValueError, "p must be a file name, got ''"),
    ],
)
def test_what_is_wrong_is_refused(check, kind, message):
    with pytest.raises(Refused, match=message) as caught:
        check()
    assert caught.value.kind is kind
