"""Which module may import which: no cycles, nothing upwards, and ``restore`` starts with little."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.cli.machine import BACKENDS, ended, machine
from tests.support.source import Module, modules

LAYERS = """
geofence journal lean lean_json
translation
errors spelling
model
netlink host wording
verdict plan
mirror
lists policy geoip asterisk
flows routing
merge allowed denied other_rules fetch lab
guards explain by_hand
targets
cluster
state
doctor
sentences
backends apply
shield
operations
screen
demo daemon shield_daemon setup
cli report panel
__main__
"""
"""Packages and modules of geofence from the bottom up: a line may import itself and lines above."""

PYROUTE2 = ("geofence.lab.", "geofence.routing.", "geofence.asterisk.changes")
"""Where pyroute2 is imported: where a tenth of a second is not felt."""
RESTORE_DOES_WITHOUT = (
    *("apscheduler", "babel", "dns", "netaddr", "pyroute2", "requests", "rich", "typer"),
    *("dataclasses", "datetime", "gettext", "hashlib", "inspect", "ipaddress", "json", "shutil"),
    *("heapq", "selectors", "signal", "socket", "subprocess", "threading", "typing", "urllib"),
)
"""Each takes longer to import than it is of use there."""

NAMES = {module.name for module in modules("geofence")}


def statements(module: Module, *, of_types: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements of a module and its functions, perhaps with those for types alone."""
    nodes: list[ast.AST] = [module.tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and not of_types:
            continue
        nodes.extend(ast.iter_child_nodes(node))


def imported(module: Module, *, of_types: bool) -> set[str]:
    """The names of modules that a module imports."""
    found = set()
    for each in statements(module, of_types=of_types):
        if isinstance(each, ast.Import):
            found |= {alias.name for alias in each.names}
        elif each.module:
            names = {f"{each.module}.{alias.name}" for alias in each.names}
            found |= {name if name in NAMES else each.module for name in names}
    return found


def layer_of(module: str) -> int:
    """The number of a module's layer; the bottom has 0."""
    part = module.split(".")[1] if "." in module else module
    layers = [number for number, line in enumerate(LAYERS.split("\n")) if part in line.split()]
    assert layers, f"In which layer is {part}?"
    return layers[0]


def test_no_cycles() -> None:
    graph = {
        module.name: imported(module, of_types=False) & NAMES - {module.name}
        for module in modules("geofence")
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_nothing_is_imported_from_above() -> None:
    upwards = [
        f"{module.name} imports {other}"
        for module in modules("geofence")
        for other in sorted(imported(module, of_types=True) & NAMES)
        if layer_of(other) > layer_of(module.name)
    ]
    assert not upwards, "\n".join(["", *upwards])


def test_pyroute2_is_imported_where_time_is_not_felt() -> None:
    users = {
        module.name
        for module in modules("geofence")
        for name in imported(module, of_types=True)
        if name.split(".")[0] == "pyroute2"
    }
    assert users
    assert {name for name in users if not name.startswith(PYROUTE2)} == set()


@pytest.mark.parametrize("backend", BACKENDS)
def test_restore_imports_little(tmp_path: Path, backend: str) -> None:
    with machine(tmp_path, backend) as made:
        made.ok("refresh")
        made.clear()
        # Of the environment, as of the command line, units give restore no backend.
        made.environment |= {"PYTHONPROFILEIMPORTTIME": "1", "GEOFENCE_BACKEND": ""}
        done = ended(made.start("restore"))
        assert done.code == 0
        assert made.observe().sets
    names = re.findall(r"^import time:.*\| +(\S+)$", done.err, re.MULTILINE)
    assert not [name for name in names if name.startswith("geofence.asterisk")]
    # In a checkout, the hook by which geofence is found has imported some before.
    tops = {name.split(".")[0] for name in names[names.index("geofence") :]}
    assert {"geofence", "array"} <= tops
    assert tops & set(RESTORE_DOES_WITHOUT) == set()
