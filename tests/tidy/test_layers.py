"""Who may import whom, what may not be imported where, and how large a module may be: the rules of ARCHITECTURE.md, held."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "barnabas"
MODULES = sorted(PACKAGE.rglob("*.py"))

MAY_IMPORT = {
    "wire": {"wire"},
    "storage": {"wire", "storage"},
    "core": {"wire", "core"},
    "client": {"wire", "client"},
    "node": {"wire", "storage", "core", "node"},
    "cli": {"wire", "client", "storage", "cli"},
    "testing": {"wire", "client", "storage", "cli", "testing"},
}
# Tables of configuration keys, and the text of their values: facts that the tools check and print as a node does. What metadata records mean.
# Where a controller would place replicas, for a tool that proposes it.
_PLACEMENT = ("barnabas.core.controller.placement.", "barnabas.core.controller.result.")
ALSO = {"cli": ("barnabas.core.configs.", "barnabas.core.metadata.", *_PLACEMENT)}
PURE = {"wire", "core"}
IMPURE = {"asyncio", "socket", "threading", "time", "random", "os", "logging", "select", "subprocess", "ssl"}
# Bytes in a file of another kind, or a part that is loaded only when its compiled twin is missing.
MAY_ASK_THE_SYSTEM = {"wire/records/native.py": {"os"}}
LARGEST_MODULE = 450
LARGER_FOR_A_REASON = {
    "wire/logs/group_coordinator.py": "one declaration a record, thirty records",
    "core/configs/definitions": "tables of facts",
}


def area(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, absolute module name) of every import, also those inside functions and under TYPE_CHECKING."""
    found = []
    package = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, base]) if base else ".".join(parent)
            found.append((node.lineno, base))
            assert all(alias.name != "*" for alias in node.names), f"{path}:{node.lineno}: a star import hides what is used"
    return found


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent != PACKAGE], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_layers(path: Path) -> None:
    allowed = MAY_IMPORT[area(path)]
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] == "barnabas" and len(parts) > 1 and not f"{name}.".startswith(ALSO.get(area(path), ())):
            assert parts[1] in allowed, f"{path}:{line}: {area(path)} may not import {name}"
        if area(path) in PURE and parts[0] in IMPURE:
            relative = str(path.relative_to(PACKAGE))
            assert parts[0] in MAY_ASK_THE_SYSTEM.get(relative, ()), f"{path}:{line}: {area(path)} is pure, {name} is not: pass it in"


def test_module_sizes() -> None:
    large = {}
    for path in MODULES:
        relative = str(path.relative_to(PACKAGE))
        if any(relative.startswith(known) for known in LARGER_FOR_A_REASON):
            continue
        lines = len(path.read_text().splitlines())
        if lines > LARGEST_MODULE:
            large[relative] = lines
    assert not large, f"more than {LARGEST_MODULE} lines; split the subject: {large}"


def test_every_module_says_what_it_is() -> None:
    silent = [str(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_names_say_something() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert not [str(path) for path in PACKAGE.rglob("*") if path.stem in vague]


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of a machine, no registry's host."""
    import re

    banned = re.compile(r"/work/|/tmp/k\b|https?://[a-z0-9.-]*(maven|pypi|pythonhosted|npm|crates|golang|debian)")
    suffixes = {".py", ".md", ".toml", ".c", ".java", ".sh", ".properties", ".xml", ".yaml", ".txt", ""}
    for folder in ("src", "tests", "bench", "docs", ".ci"):
        for path in (ROOT / folder).rglob("*"):
            if (
                path.is_file()
                and path.suffix in suffixes
                and path != Path(__file__)
                and "__pycache__" not in path.parts
                and "build" not in path.parts
            ):
                found = banned.search(path.read_text(errors="replace"))
                assert not found, f"{path}: {found and found.group()}"
