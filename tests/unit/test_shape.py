"""The shape of the code: what a reviewer would say again and again, as a test."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "gateway").rglob("*.py"))
BANNED = ("manager", "helper", "utils", "common", "base", "handler", "service")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_one_idea_and_says_it(path: Path) -> None:
    """No module is over 300 lines, no function over 50, none lacks a docstring or hides an import in a function."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= 300
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, f"{node.name} is over 50 lines"
            hidden = [inner for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom)]
            assert not hidden, f"{node.name} hides an import"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_the_fields_own(path: Path) -> None:
    """No module or class is called manager, helper, utils, common, base, handler or service."""
    names = [path.stem.lower()]
    names += [
        node.name.lower() for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)
    ]
    assert not [name for name in names if name.endswith(BANNED)]


def test_the_environment_is_read_in_one_file() -> None:
    """Only `__main__.py` names os.environ or getenv; children are given an environment, they do not fetch it."""
    readers = [path.name for path in MODULES if "os.environ" in (text := path.read_text("utf-8")) or "getenv" in text]
    assert readers == ["__main__.py"]
