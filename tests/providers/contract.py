"""What the tests of each provider's contract share: which behaviours have tests, and what its README names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from types import ModuleType


def every_test(folder: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Give the tests of a folder by name, none of which is used twice."""
    found: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
    for path in folder.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                assert node.name not in found, f"two tests are called {node.name}"
                found[node.name] = node
    return found


def behaviours(folder: Path) -> dict[int, list[str]]:
    """Give the tests that name a numbered behaviour."""
    named: dict[int, list[str]] = defaultdict(list)
    for name, node in every_test(folder).items():
        for number in re.findall(r"Behaviour (\d+)", ast.get_docstring(node) or ""):
            named[int(number)].append(name)
    return named


def check_readme(provider: ModuleType, folder: Path, *, least: int) -> None:
    """See that a provider's README names tests and places that exist, and at least so many tests."""
    here = Path(provider.__file__ or "").parent
    text = (here / "README.md").read_text()
    known = every_test(folder)
    mentioned = re.findall(r"`(test_\w+)`", text)
    assert len(mentioned) >= least
    assert [name for name in mentioned if name not in known] == []
    for module, name in re.findall(r"`(\w+)\.(\w+)`", text):
        if (here / f"{module}.py").exists():
            assert re.search(rf"\b{name}\b", (here / f"{module}.py").read_text()), f"{module}.{name}"
