"""The one rules file that the command line owns: which exceptions are switched on or off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geofence.policy.problems import Mistake, Problems
from geofence.policy.sections import rule_name
from geofence.policy.tree import Node, Scalar, Table, parse

OWNED_FILE = "99-command-line.toml"
"""Its name, in the directory for the host's own rules."""

_HEADER = """\
# This file belongs to geofence's command line: "geofence allow" and "geofence revoke" write it
# anew. Rules of your own go into another file of this directory.
"""

_ONLY_SWITCHES = Mistake(
    "this is not from the command line, which would lose it",
    "[exception.NAME] tables with enabled = true or false; "
    "move other rules into another file of the directory",
)


def with_enabled(text: str, names: Iterable[str], enabled: bool) -> str:
    """The new text of the owned file.

    Args:
        text: its present text; empty if there is no such file yet.
        names: of exceptions, not of groups.
        enabled: what they become; all others keep what they have.

    Raises:
        RulesError: the file holds what the command line does not write.
        Mistake: (a ValueError) something cannot be the name of an exception.
    """
    switches = _switches(text) | {rule_name(name): enabled for name in names}
    return _HEADER + "".join(_table(name, switches[name]) for name in sorted(switches))


def _table(name: str, enabled: bool) -> str:
    return f"\n[exception.{name}]\nenabled = {'true' if enabled else 'false'}\n"


def _switches(text: str) -> dict[str, bool]:
    problems = Problems()
    root = parse(text, OWNED_FILE, problems)
    problems.raise_any()
    found: dict[str, bool] = {}
    for path, node in _leaves((), root) if root else ():
        match path, node:
            case ("exception", name, "enabled"), Scalar(bool(value)) if _is_name(name):
                found[name] = value
            case _:
                problems.add(node.origin, _ONLY_SWITCHES)
    problems.raise_any()
    return found


def _leaves(path: tuple[str, ...], node: Node) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Everything in a table that is no table with something in it, with its path."""
    if isinstance(node, Table) and (node.entries or not path):
        for key, inner in node.entries.items():
            yield from _leaves((*path, key), inner)
    else:
        yield path, node


def _is_name(text: str) -> bool:
    try:
        return bool(rule_name(text))
    except Mistake:
        return False
