"""What a file cannot hold is refused, and a write that fails leaves everything as it was."""

import os
import re

import numpy as np
import pytest

from corr2d import images


def photograph():
    y, x = np.mgrid[:40, :60]
    return np.stack([128 + 100 * np.sin((y + 7 * channel + x) / 9) for channel in range(3)], -1).astype(
        np.uint8
    )


@pytest.mark.parametrize(
    ("name", "pixels", "options", "kind", "message"),
    [
        ("p.gif", [[1]], {}, ValueError, r"path must be a file name ending in one of \.png, .*got .*p\.gif"),
        ("p.pgn", [[1]], {}, ValueError, r"Did you mean '\.png'"),
        ("p", [[1]], {}, ValueError, "The ending chooses the file type"),
        ("p.png", [[1]], {"scale": "sined"}, ValueError, "scale must be one of .*Did you mean 'signed'"),
        (
            "p.png",
            [[1]],
            {"dtype": "float32"},
            ValueError,
            "dtype must be one of 'uint8', 'uint16' for a PNG file",
        ),
        ("p.jpg", [[1]], {"dtype": "uint16"}, ValueError, "dtype must be one of 'uint8' for a JPEG file"),
        ("p.bmp", [[1]], {"dtype": np.uint16}, ValueError, "dtype must be one of 'uint8' for a BMP file"),
        ("p.webp", [[1]], {"dtype": "f4"}, ValueError, "dtype must be one of 'uint8' for a WebP file"),
        (
            "p.tif",
            [[1]],
            {"dtype": "int16"},
            ValueError,
            "dtype must be one of 'uint8', 'uint16', 'float32', 'float64'",
        ),
        (
            "p.tif",
            [[2**60]],
            {},
            ValueError,
            r"whole numbers up to 2\*\*53 for TIFF, got .*int64.*dtype='float64'",
        ),
        ("p.png", [1, 2], {}, ValueError, r"of shape \(H, W\) or \(H, W, 3\), got .*shape \(2,\)"),
        ("p.png", np.zeros((4, 5, 4)), {}, ValueError, "Pass the last channel by itself, as alpha="),
        ("p.png", np.zeros((3, 4, 5)), {}, ValueError, r"np\.moveaxis\(pixels, 0, -1\)"),
        ("p.png", np.zeros((2, 3, 4, 5)), {}, ValueError, "One picture a file"),
        ("p.png", np.zeros((0, 4)), {}, ValueError, "at least one pixel"),
        ("p.png", [[np.nan]], {}, ValueError, r"images\.write: pixels must be free of NaN for uint8"),
        ("p.png", [[1j]], {}, TypeError, "pixels must be real"),
        ("p.png", [["a"]], {}, TypeError, "pixels must be an array of bool, integer, floating"),
        (
            "p.webp",
            np.zeros((1, 16384)),
            {},
            ValueError,
            "at most 16383 high and wide for WebP.*Write PNG or TIFF",
        ),
        ("p.jpg", np.zeros((65501, 1)), {}, ValueError, "at most 65500 high and wide for JPEG"),
        ("p.png", [[1]], {"alpha": [[1, 2]]}, ValueError, r"alpha must be of shape \(H, W\) = \(1, 1\)"),
        ("p.png", [[1]], {"alpha": [[np.nan]]}, ValueError, "alpha must be free of NaN"),
        ("p.jpg", [[1]], {"alpha": [[np.nan]]}, ValueError, "alpha must be opaque"),
        (None, [[1]], {}, TypeError, "path must be a file name"),
    ],
)
def test_refusals_leave_no_file(tmp_path, name, pixels, options, kind, message):
    path = None if name is None else tmp_path / name
    with pytest.raises(kind, match=rf"images\.write: .*{message}|{message}") as caught:
        images.write(path, pixels, **options)
    assert str(caught.value).startswith("images.write: ")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_paths_that_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match=r"images\.write: path must be a writable file, got .*No such"
    ):
        images.write(tmp_path / "no" / "p.png", [[1]])
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"path must be a file name, got the folder"):
        images.write(tmp_path / "folder.png", [[1]])
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OSError, match="must be a regular file"):
        images.write(tmp_path / "pipe.png", [[1]])
    images.write(tmp_path / "p.png", [[1]])
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"must be a writable file, got .*write-protected"):
        images.write(tmp_path / "p.png", [[2]])
    assert images.read(tmp_path / "p.png").pixels == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder.png", "p.png", "pipe.png"]


@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError("ours")]
)
@pytest.mark.parametrize("existing", [False, True])
def test_a_failed_write_changes_nothing(tmp_path, monkeypatch, ending, fault, existing):
    path = tmp_path / f"p{ending}"
    if existing:
        images.write(path, photograph())
    before = path.read_bytes() if existing else None

    def fails(*_):
        raise fault

    monkeypatch.setattr(os, "fsync", fails)  # after the encoder has written everything
    with pytest.raises(type(fault)) as caught:
        images.write(path, 255 - photograph())
    if isinstance(fault, OSError):
        assert re.fullmatch(
            r"images\.write: path must be a writable file, got .*No space left on device\.", str(caught.value)
        )
    assert [entry.name for entry in tmp_path.iterdir()] == ([path.name] if existing else [])
    assert (path.read_bytes() if existing else None) == before


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "p.png"
    images.write(path, [[1]])
    seen = []
    replace = os.replace

    def watched(source, target):
        seen.append(
            (images.read(path).pixels.item(), images.read(source).pixels.item(), os.path.dirname(source))
        )
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    images.write(path, [[2]])
    assert seen == [(1, 2, str(tmp_path))]
    assert images.read(path).pixels.item() == 2
