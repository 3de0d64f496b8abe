"""The source of geofence as syntax trees, for tests of how it is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TOP = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """A module's name, file and tree."""

    name: str
    path: Path
    tree: ast.Module

    def at(self, node: ast.expr | ast.stmt) -> str:
        return f"{self.path.relative_to(TOP)}:{node.lineno}"


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """All modules below these folders of the checkout."""
    paths = sorted(path for folder in folders for path in (TOP / folder).rglob("*.py"))
    return tuple(
        Module(_name(path), path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths
    )


def _name(path: Path) -> str:
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def calls(module: Module, *names: str) -> Iterator[ast.Call]:
    """Calls of functions with these names."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else None
            name = function.id if isinstance(function, ast.Name) else name
            if name in names:
                yield node
