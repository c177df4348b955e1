"""Kernels by name, from text and from files: what is read, and what a wrong file is told."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corr2d import kernels
from corr2d.kernels import files, names, text


def kernel_or_refusal(read, source):
    """What was read, or the message of the ValueError; any other exception fails the test."""
    try:
        return read(source)
    except ValueError as refused:
        return str(refused)


def test_catalogue_lists_every_name_once_with_its_kernel():
    entries = kernels.catalogue()
    assert [entry.name for entry in entries] == list(names.TABLE)
    for name, summary, parameters in entries:
        kernel, row = kernels.named(name), names.TABLE[name]
        np.testing.assert_array_equal(kernel, row.function(**row.fixed))
        np.testing.assert_array_equal(kernel, row.function(**row.fixed, **parameters))
        assert 0 < len(summary) < 80
        assert "\n" not in summary
        assert not set(parameters) & set(row.fixed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gaussian", kernels.gaussian()),
        (" Sobel_X ", kernels.sobel("x")),
        ("sobel-y: size=5", kernels.sobel("y", size=5)),
        ("scharr-x:scale=derivative", kernels.scharr("x", scale="derivative")),
        ("laplacian-8", kernels.laplacian(8)),
        ("gaussian:sigma=2, truncate=1/2", kernels.gaussian(2, truncate=0.5)),
        ("gaussian:sigma=.5x3", kernels.gaussian((0.5, 3))),
        ("box:size=2X5,normalize=False", kernels.box((2, 5), normalize=False)),
        ("difference-of-gaussians:low-sigma=2,HIGH_SIGMA=3", kernels.difference_of_gaussians(2, 3)),
        ("gabor:quadrature=true,angle=-30", kernels.gabor(angle=-30, quadrature=True)),
        ("sharpen:amount=3", kernels.sharpen(3)),
    ],
)
def test_named_reads_a_name_and_its_parameters(text, expected):
    kernel = kernels.named(text)
    assert kernel.dtype == expected.dtype
    np.testing.assert_array_equal(kernel, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,0,-1;2,0,-2;1,0,-1", np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])),
        ("1,-1", np.array([[1, -1]])),
        ("+1;-1", np.array([[1], [-1]])),
        (" 1/9 , .5 ;\n2. , -1e-3 ", np.array([[1 / 9, 0.5], [2, -0.001]])),
        ("4/2", np.array([[2.0]])),
        ("1,0.5;3,2", np.array([[1, 0.5], [3, 2]])),
        ("9223372036854775807,-9223372036854775808", np.array([[2**63 - 1, -(2**63)]])),
    ],
)
def test_parse_keeps_whole_numbers_whole(text, expected):
    kernel = kernels.parse(text)
    assert kernel.dtype == (np.int64 if expected.dtype.kind == "i" else np.float64)
    np.testing.assert_array_equal(kernel, expected)


@given(
    st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3), min_size=1)
)
def test_parse_gives_back_every_float(rows):
    written = ";".join(",".join(map(repr, row)) for row in rows)
    np.testing.assert_array_equal(kernels.parse(written), np.array(rows, np.float64))


@given(st.text("0123456789,;./eE+- xn_²", max_size=12))
def test_parse_returns_a_kernel_or_a_value_error(written):
    kernel = kernel_or_refusal(kernels.parse, written)
    if isinstance(kernel, str):
        assert "parse: text must be" in kernel
    else:
        assert kernel.ndim == 2
        assert kernel.size == written.count(",") + written.count(";") + 1
        assert np.isfinite(kernel).all()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"1,0,-1\n2,0,-2\r\n1,0,-1\n"),
        ("a.txt", b"\xef\xbb\xbf# Sobel\n1 0 -1\n\n  2\t0 -2 # the middle\n1 0 -1"),
        ("a.JSON", b"[[1, 0, -1], [2, 0, -2], [1, 0, -1]]"),
        ("b.json", b'{"by": "me", "kernel": [[1, 0, -1], [2, 0, -2], [1, 0, -1]]}'),
    ],
)
def test_load_reads_text(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    kernel = kernels.load(tmp_path / name)
    assert kernel.dtype == np.int64
    np.testing.assert_array_equal(kernel, [[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    np.testing.assert_array_equal(kernel, kernels.load(str(tmp_path / name)))


@pytest.mark.parametrize("dtype", ["bool", "u1", "<i4", ">i8", "f2", ">f8", "c8"])
def test_load_reads_npy_in_the_machines_byte_order(tmp_path, dtype):
    stored = np.asfortranarray(np.array([[1, 0, 1], [0, 0, 1]], dtype))
    np.save(tmp_path / "a.npy", stored)
    kernel = kernels.load(tmp_path / "a.npy")
    assert kernel.dtype == stored.dtype.newbyteorder("=")
    assert type(kernel) is np.ndarray
    assert kernel.flags.c_contiguous
    assert kernel.flags.writeable
    np.testing.assert_array_equal(kernel, stored)
    kernel[0, 0] = 0
    np.testing.assert_array_equal(kernels.load(tmp_path / "a.npy"), stored)


@given(place=st.integers(0, 127), byte=st.integers(0, 255), length=st.integers(0, 200))
def test_load_refuses_or_reads_a_damaged_npy(tmp_path_factory, place, byte, length):
    file = tmp_path_factory.getbasetemp() / "damaged.npy"
    np.save(file, np.arange(9.0).reshape(3, 3))
    content = bytearray(file.read_bytes())
    content[place] = byte
    file.write_bytes(content[:length])
    kernel = kernel_or_refusal(kernels.load, file)
    if isinstance(kernel, str):
        assert "the kernel in 'damaged.npy' must be" in kernel
    else:
        assert kernel.ndim == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the kernel in 'a.csv' must be a kernel with at least one value, got none"),
        (
            "a.csv",
            b"1,2\n\n3\n",
            "must be a table of rows of equal length, got 2 values in row 1 and 1 in row 2",
        ),
        (
            "a.csv",
            b"1;2\n3;4\n",
            "must be made of numbers such as 2, -0.5 or 1/9, got '1;2' in row 1, column 1",
        ),
        ("a.txt", b"\xff\xfe1", "the kernel in 'a.txt' must be UTF-8 text, got other bytes"),
        (
            "a.json",
            b'{"kernel"\n: [[1,]]}',
            "the kernel in 'a.json' must be valid JSON, got an error at line 2",
        ),
        (
            "a.json",
            b"[" * 100000,
            "the kernel in 'a.json' must be valid JSON, got an error at its numbers or nesting",
        ),
        (
            "a.json",
            b'{"weights": [[1]]}',
            r"must be a list of rows such as .*, or {\"kernel\": \[\[...\]\]}, got {'w",
        ),
        ("a.json", b"[1, 2]", r"must be a list of rows such as \[\[1, 0\], \[0, -1\]\], .*, got \[1, 2\]"),
        (
            "a.json",
            b"[[1, true]]",
            "must be made of numbers such as 2, -0.5 or 1/9, got True in row 1, column 2",
        ),
        (
            "a.json",
            b"[[1, NaN]]",
            "must be made of finite numbers that fit 64 bits, got nan in row 1, column 2",
        ),
        (
            "a.json",
            b"[[9223372036854775808]]",
            "must be made of finite numbers that fit 64 bits, got 92233720368547",
        ),
        ("a.json", b"[[], []]", "the kernel in 'a.json' must be a kernel with at least one value, got none"),
        (
            "a.npy",
            b"",
            r"'a.npy' must be a whole .npy array of numbers, got something else. Write it with numpy.save",
        ),
        (
            "a.npy",
            b"\x80\x04K\x01.",
            "the kernel in 'a.npy' must be a whole .npy array of numbers, got something else",
        ),
    ],
)
def test_errors_name_the_file_and_the_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        kernels.load(tmp_path / name)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (np.array([[None]]), "must be a whole .npy array of numbers, got something else"),
        (np.array([["a"]]), "must be an array of numbers, got dtype <U1"),
        (np.ones(3), r"must be a 2-D kernel with at least one tap, got shape \(3,\)"),
        (np.ones((0, 3)), "the kernel in 'a.npy' must be"),
        (np.array([[1, np.inf]]), "must be made of finite numbers, got NaN or infinity"),
    ],
)
def test_errors_of_npy_content(tmp_path, stored, message):
    np.save(tmp_path / "a.npy", stored)
    with pytest.raises(ValueError, match=message):
        kernels.load(tmp_path / "a.npy")


def test_an_archive_a_truncated_and_a_huge_file_are_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", kernel=np.ones((2, 2)))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(ValueError, match=r"must be one \.npy array, got an archive of arrays"):
        kernels.load(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.ones((9, 9)))
    content = (tmp_path / "b.npy").read_bytes()
    (tmp_path / "b.npy").write_bytes(content[:-1])
    with pytest.raises(ValueError, match=r"must be a whole \.npy array of numbers"):
        kernels.load(tmp_path / "b.npy")
    (tmp_path / "b.npy").write_bytes(content)
    (tmp_path / "c.json").write_text(json.dumps(np.ones((9, 9)).tolist()))
    for room in (files, text):
        monkeypatch.setattr(room, "MOST_TAPS", 80)
        monkeypatch.setattr(room, "LARGEST_TEXT", 1 << 20)
    with pytest.raises(ValueError, match=r"must be a kernel of at most 80 taps, got shape \(9, 9\)"):
        kernels.load(tmp_path / "b.npy")
    with pytest.raises(ValueError, match=r"'c\.json' must be a kernel of at most 80 taps, got 81"):
        kernels.load(tmp_path / "c.json")
    (tmp_path / "d.csv").write_text("1," * (1 << 19) + "1")
    with pytest.raises(
        ValueError, match=r"must be text of at most 1 MiB, got 1048577 bytes\. Store it as .npy\."
    ):
        kernels.load(tmp_path / "d.csv")
    with pytest.raises(ValueError, match="parse: text must be at most 1048576 characters, got 1048577"):
        kernels.parse("1," * (1 << 19) + "1")


@pytest.mark.parametrize("name", ["a.csv", "a.npy"])
def test_an_unreadable_file_is_an_os_error_with_its_name(tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("1")

    def refuse_reading(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.Path, "read_text", refuse_reading)
    monkeypatch.setattr(files.np, "load", refuse_reading)
    with pytest.raises(
        OSError, match=rf"load: path must be a readable file, got '{name}' \(Permission denied\)"
    ):
        kernels.load(tmp_path / name)
