"""The one rules file that the command line owns: which exceptions are switched on or off."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePath

from geofence.policy.mistakes import Mistake, Problems
from geofence.policy.table_reader import rule_name
from geofence.policy.toml_tree import Node, Scalar, Table, parse

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


def is_owned(file: str) -> bool:
    """Whether a rules file of that path is the one that the command line owns."""
    return PurePath(file).name == OWNED_FILE


def stale_switches(owned: Table, others: Table) -> dict[str, bool]:
    """The switches of the owned file for exceptions that are gone: whether each is on.

    Whoever takes an exception out of the rules need not know that it was once allowed or revoked,
    and a release that no longer ships one cannot know. Such a switch means nothing any more; in any
    other file it was typed, and is a slip.

    Args:
        owned: the tree of the owned file.
        others: those of all other files, merged.
    """
    elsewhere = _exceptions(others)
    found = {name: _switch(name, node) for name, node in _exceptions(owned).items()}
    return {
        name: switch
        for name, switch in found.items()
        # Another switch elsewhere does not say what the exception is, either.
        if switch is not None
        and (name not in elsewhere or _switch(name, elsewhere[name]) is not None)
    }


def without(rules: Table, stale: Collection[str]) -> Table:
    """A file's tree without the switches of those names."""
    exceptions = rules.entries.get("exception")
    if not stale or not isinstance(exceptions, Table):
        return rules
    kept = {name: node for name, node in exceptions.entries.items() if name not in stale}
    return Table(rules.origin, {**rules.entries, "exception": Table(exceptions.origin, kept)})


def _exceptions(tree: Table) -> Mapping[str, Node]:
    exceptions = tree.entries.get("exception")
    return exceptions.entries if isinstance(exceptions, Table) else {}


def with_enabled(text: str, names: Iterable[str], enabled: bool, known: Collection[str]) -> str:
    """The new text of the owned file.

    Args:
        text: its present text; empty if there is no such file yet.
        names: of exceptions, not of groups.
        enabled: what they become; all others keep what they have.
        known: the names of all exceptions that there are; switches for others are dropped.

    Raises:
        RulesError: the file holds what the command line does not write.
        Mistake: (a ValueError) something cannot be the name of an exception.
    """
    before = {name: value for name, value in _switches(text).items() if name in known}
    switches = before | {rule_name(name): enabled for name in names}
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


def _switch(name: str, node: Node) -> bool | None:
    """What a table switches to that the command line could have written; None for any other."""
    match node:
        case Table(entries={"enabled": Scalar(bool(enabled)), **others}):
            return enabled if not others and _is_name(name) else None
    return None


def _is_name(text: str) -> bool:
    try:
        return bool(rule_name(text))
    except Mistake:
        return False
