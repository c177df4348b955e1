"""Every example in a docstring and in the README runs."""

import doctest
import importlib
import pkgutil
import re
import shutil
from pathlib import Path

import pytest

import corr2d

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(corr2d.__path__, "corr2d.")
    if not found.name.endswith("__main__")
)


def examples(module):
    return [test for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("name", ["corr2d", *MODULES])
def test_docstrings(name):
    if name.split(".")[1:2] in (["nn"], ["autograd"]):
        pytest.importorskip("torch")
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in examples(importlib.import_module(name)):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("name", [name for name in corr2d.__all__ if callable(getattr(corr2d, name))])
def test_public_functions_have_examples(name):
    public = getattr(corr2d, name)
    if not isinstance(public, type):
        assert ">>>" in (public.__doc__ or "")


def test_readme_code_runs(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs/edges.png", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    assert blocks
    for block in blocks:
        if "import torch" in block:
            pytest.importorskip("torch")
        exec(compile(block, "README.md", "exec"), {})


def test_readme_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert targets
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert not missing
