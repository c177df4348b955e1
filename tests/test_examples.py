"""Every script of examples/ runs and leaves a picture that shows something."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))

# A model that is captured, and one that is trained.
SLOW = ("receptive_field", "train_a_layer")

pytest.importorskip("matplotlib")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(script, id=script.stem, marks=[pytest.mark.slow] if script.stem in SLOW else [])
        for script in SCRIPTS
    ],
)
def test_example(script, tmp_path, monkeypatch, capsys):
    if "torch" in script.read_text(encoding="utf-8"):
        pytest.importorskip("torch")
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    from corr2d import images

    assert f"{script.stem}.png" in {path.name for path in tmp_path.iterdir()}
    for path in tmp_path.glob("*.png"):
        pixels = images.read(path).pixels
        assert pixels.shape[1] > 500, "too small to be read"
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20, "hardly anything is drawn"
