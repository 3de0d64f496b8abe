"""Entries of the command line's rules file, held against the rules of all other files.

People edit rules without knowing what they once allowed or revoked by hand, and so do new releases.
What has lost its exception or its service has no effect any more. In any other file it is a typing
mistake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from geofence.policy.asterisk import derived_services
from geofence.policy.mistakes import Mistake, Problems
from geofence.policy.owned import OWNED_FILE
from geofence.policy.table_reader import rule_name
from geofence.policy.toml_tree import Array, Node, Scalar, Table
from geofence.translation import tr

_SWITCHING = {"enabled", "note", "until", "revoked_after"}
"""Keys of a table that switches an exception of another file."""


def stale_switches(owned: Table, others: Table) -> dict[str, bool]:
    """Return the owned file's switches for exceptions that no longer exist: whether each is on.

    Args:
        owned: the tree of the owned file.
        others: those of all other files, merged.
    """
    elsewhere = _inner(others, "exception")
    found = {name: _switch(name, node) for name, node in _inner(owned, "exception").items()}
    return {
        name: switch
        for name, switch in found.items()
        # A switch in another file does not define the exception, either.
        if switch is not None and not _is_defined(name, elsewhere)
    }


def find_twins(owned: Table, others: Table, problems: Problems) -> None:
    """Complain about exceptions of other files with the name of one that ``allow`` made."""
    elsewhere = _inner(others, "exception")
    for name, node in _inner(owned, "exception").items():
        if _switch(name, node) is None and _is_defined(name, elsewhere):
            twice = tr(
                "'geofence allow' made an exception of this name ({place})", place=node.origin
            )
            expected = tr("another name here, or that table removed from {file}", file=OWNED_FILE)
            problems.add(elsewhere[name].origin, Mistake(twice, expected), f"exception.{name}")


def without_moot_ends(owned: Table, others: Table) -> Table:
    """Return the owned file's tree without ends of exceptions that other files enable.

    Whoever enables an exception in the rules, after it was allowed until a time, means it to stay.
    One that had been revoked before it was allowed is revoked again, whatever other files say.
    """
    elsewhere = _inner(others, "exception")
    inner = {
        name: _without_moot_end(node, elsewhere.get(name))
        if _switch(name, node) is not None
        else node
        for name, node in _inner(owned, "exception").items()
    }
    return _with_inner(owned, "exception", inner)


def without_undefined(rules: Table, others: Table) -> Table:
    """Return a file's tree without what it says of exceptions and services that none defines.

    Args:
        rules: the tree of the file.
        others: those of all files, merged.
    """
    services = {n: each for n, each in _inner(others, "service").items() if _has_ports(each)}
    kept = {n: each for n, each in _inner(rules, "service").items() if n in services}
    known = _with_inner(others, "service", services)
    left = without(_with_inner(rules, "service", kept), stale_switches(rules, others))
    return without_lost_services(left, known)


def _has_ports(service: Node) -> bool:
    return isinstance(service, Table) and "ports" in service.entries


def _without_moot_end(switch: Node, defined: Node | None) -> Node:
    if not isinstance(switch, Table) or not isinstance(defined, Table):
        return switch
    entries = dict(switch.entries)
    match entries.get("revoked_after"):
        case Scalar(bool(revoked_after)):
            del entries["revoked_after"]
        case _:
            revoked_after = False
    match defined.entries.get("enabled"):
        case Scalar(False):
            pass
        case _ if not revoked_after:
            entries.pop("until", None)
    return Table(switch.origin, entries)


def without(rules: Table, stale: Collection[str]) -> Table:
    """Return a file's tree without the exceptions of those names."""
    kept = {n: node for n, node in _inner(rules, "exception").items() if n not in stale}
    return _with_inner(rules, "exception", kept) if stale else rules


def without_lost_services(owned: Table, others: Table) -> Table:
    """Return the owned file's tree without services that no longer exist.

    What was for no other service is left out.
    """
    known = {*_inner(others, "service"), *derived_services(others)}
    for kind in ("exception", "country"):
        inner = dict(_among(known, _inner(owned, kind)))
        if inner != _inner(owned, kind):
            owned = _with_inner(owned, kind, inner)
    return owned


def _among(known: Collection[str], tables: Mapping[str, Node]) -> Iterator[tuple[str, Node]]:
    for name, node in tables.items():
        services = node.entries.get("services") if isinstance(node, Table) else None
        if not isinstance(node, Table) or not isinstance(services, Array) or _is_switch(node):
            yield name, node
            continue
        left = tuple(each for each in services.items if not _is_lost(each, known))
        if left == services.items:
            yield name, node
        elif left:
            entries = {**node.entries, "services": Array(left, services.origin)}
            yield name, Table(node.origin, entries)


def _is_switch(table: Table) -> bool:
    """Whether it is for an exception of another file."""
    return "enabled" in table.entries


def _is_lost(service: Node, known: Collection[str]) -> bool:
    """Whether it is the name of a service that does not exist; not for what is no name at all."""
    match service:
        case Scalar(str(name)):
            return _is_name(name) and name not in known
    return False


def _inner(tree: Table, kind: str) -> Mapping[str, Node]:
    outer = tree.entries.get(kind)
    return outer.entries if isinstance(outer, Table) else {}


def _with_inner(tree: Table, kind: str, inner: Mapping[str, Node]) -> Table:
    outer = tree.entries.get(kind)
    if not isinstance(outer, Table):
        return tree
    return Table(tree.origin, {**tree.entries, kind: Table(outer.origin, inner)})


def _is_defined(name: str, exceptions: Mapping[str, Node]) -> bool:
    """Whether the rules say more of the exception than whether it is enabled."""
    return name in exceptions and _switch(name, exceptions[name]) is None


def _switch(name: str, node: Node) -> bool | None:
    """Return the switch in a table that the command line could have written; None for others."""
    match node:
        case Table(entries={"enabled": Scalar(bool(enabled)), **others}):
            return enabled if not others.keys() - _SWITCHING and _is_name(name) else None
    return None


def _is_name(text: str) -> bool:
    try:
        return bool(rule_name(text))
    except Mistake:
        return False
