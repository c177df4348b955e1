"""Every example in a docstring and in the README runs."""

import ast
import doctest
import importlib
import pkgutil
import re
import shutil
from pathlib import Path

import numpy as np
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


def promised(comment, value, printed):
    """Whether the outcome is what the comment beside the line says; None where it says nothing in code."""
    if literal := re.match(r"[\[(].*?[\])](?=:|$)", comment):
        return np.asarray(value).tolist() == np.asarray(ast.literal_eval(literal[0])).tolist()
    if quoted := re.match("`(.+?)`", comment):
        return quoted[1] in printed
    if (word := comment.partition(",")[0]) in np.sctypeDict:
        return value.dtype == word
    return None


def test_a_promise_is_judged():
    assert promised("[[1, 2]]: so it is", np.array([[1, 2]]), "")
    assert promised("(2, 3)", (2, 3), "")
    assert promised("`so` it says", None, "and so on")
    assert promised("int32, exact", np.ones(1, "int32"), "")
    assert promised("[[1, 3]]", np.array([[1, 2]]), "") is False
    assert promised("`no`, it says", None, "yes") is False
    assert promised("float32, exact", np.ones(1, "int32"), "") is False
    assert promised("why", None, "") is None


def test_readme_code_gives_what_its_comments_say(tmp_path, monkeypatch, capsys):
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs/edges.png", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    judged = []
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S):
        if "import torch" in block:
            pytest.importorskip("torch")
        names = {}
        for statement in ast.parse(block).body:
            if not isinstance(statement, ast.Expr):
                exec(compile(ast.Module([statement], []), "README.md", "exec"), names)
                continue
            value = eval(compile(ast.Expression(statement.value), "README.md", "eval"), names)
            line = block.splitlines()[statement.end_lineno - 1]
            verdict = promised(line[statement.end_col_offset :].strip(" #"), value, capsys.readouterr().out)
            assert verdict is not False, line
            judged.append(verdict)
    assert judged.count(True) == 4
