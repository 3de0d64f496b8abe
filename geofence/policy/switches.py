"""Exceptions by name, and the rules file of the command line that enables and disables them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePath

from geofence.countries import country_meant, country_name
from geofence.errors import UsageError
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.policy.addresses import host_name, is_srv_name, prefix
from geofence.policy.mistakes import Mistake, Problems
from geofence.policy.table_reader import rule_name
from geofence.policy.toml_tree import Node, Scalar, Table, parse
from geofence.spelling import likeliest, listed, one_of, plain, quoted
from geofence.translation import join, tr

OWNED_FILE = "99-command-line.toml"
"""Name of the command line's file, in the directory with the operator's rules."""
_MOST_LISTED = 40
"""Names that a message lists."""

_HEADER = """\
# Written by "geofence allow" and "geofence revoke", which overwrite all changes. Put rules of your
# own into another file of this directory.
"""


def _only_switches() -> Mistake:
    return Mistake(
        tr("this was not written by 'geofence allow' or 'geofence revoke', which would delete it"),
        tr(
            "[exception.NAME] tables with enabled = true or false only; "
            "move other rules into another file of the directory"
        ),
    )


def is_owned(file: str) -> bool:
    """Whether the rules file of that path is the one that the command line writes."""
    return PurePath(file).name == OWNED_FILE


def stale_switches(owned: Table, others: Table) -> dict[str, bool]:
    """Return the owned file's switches for exceptions that no longer exist: whether each is on.

    People remove exceptions without knowing that they were once allowed or revoked, and so do new
    releases. Such a switch has no effect any more; in any other file it is a typing mistake.

    Args:
        owned: the tree of the owned file.
        others: those of all other files, merged.
    """
    elsewhere = _exceptions(others)
    found = {name: _switch(name, node) for name, node in _exceptions(owned).items()}
    return {
        name: switch
        for name, switch in found.items()
        # A switch in another file does not define the exception, either.
        if switch is not None
        and (name not in elsewhere or _switch(name, elsewhere[name]) is not None)
    }


def without(rules: Table, stale: Collection[str]) -> Table:
    """Return a file's tree without the switches of those names."""
    exceptions = rules.entries.get("exception")
    if not stale or not isinstance(exceptions, Table):
        return rules
    kept = {name: node for name, node in exceptions.entries.items() if name not in stale}
    return Table(rules.origin, {**rules.entries, "exception": Table(exceptions.origin, kept)})


def _exceptions(tree: Table) -> Mapping[str, Node]:
    exceptions = tree.entries.get("exception")
    return exceptions.entries if isinstance(exceptions, Table) else {}


def with_enabled(text: str, names: Iterable[str], enabled: bool, known: Collection[str]) -> str:
    """Return the new text of the owned file.

    Args:
        text: its present text; empty if there is no such file yet.
        names: of exceptions, not of groups.
        enabled: whether to enable them; all others stay as they are.
        known: the names of all exceptions; switches for others are dropped.

    Raises:
        RulesError: the file contains something that the command line does not write.
        Mistake: (a ValueError) a name is not valid for an exception.
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
                problems.add(node.origin, _only_switches())
    problems.raise_any()
    return found


def _leaves(path: tuple[str, ...], node: Node) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Yield all values and empty tables below a table, with their paths."""
    if isinstance(node, Table) and (node.entries or not path):
        for key, inner in node.entries.items():
            yield from _leaves((*path, key), inner)
    else:
        yield path, node


def _switch(name: str, node: Node) -> bool | None:
    """Return the switch in a table that the command line could have written; None for others."""
    match node:
        case Table(entries={"enabled": Scalar(bool(enabled)), **others}):
            return enabled if not others and _is_name(name) else None
    return None


def _is_name(text: str) -> bool:
    try:
        return bool(rule_name(text))
    except Mistake:
        return False


def exceptions_named(policy: Policy, name: str, verb: str = "allow") -> tuple[NamedException, ...]:
    """Return the exception of that name, or all exceptions of the group of that name.

    Args:
        policy: the rules.
        name: as it was typed.
        verb: ``allow`` or ``revoke``, for the message.

    Raises:
        UsageError: nothing has that name; the message says what to do if it is a country, an
            address or a host.
    """
    found = tuple(
        exception for exception in policy.exceptions if name in (exception.name, exception.group)
    )
    if found:
        return found
    advice = (
        _about_country(policy, name, verb)
        or _about_address(policy, name, verb)
        or _about_host(policy, name)
    )
    if advice:
        unknown = tr("Unknown exception or group {name}.", name=quoted(name))
        raise UsageError(join(" ", (unknown, advice)))
    raise UsageError(_unknown(policy, name))


def _unknown(policy: Policy, name: str) -> str:
    """Return sentences: that nothing has this name, what was probably meant, and what exists."""
    names = [exception.name for exception in policy.exceptions]
    groups = list(dict.fromkeys(each.group for each in policy.exceptions if each.group))
    guesses = likeliest(plain(name), (*names, *groups))
    if guesses:
        unknown = tr(
            "Unknown exception or group {name}; did you mean {guesses}?",
            name=quoted(name),
            guesses=_guessed(policy, guesses),
        )
    else:
        unknown = tr("Unknown exception or group {name}.", name=quoted(name))
    if not names:
        return join(" ", (unknown, tr("The rules have no exceptions.")))
    known = tr("Exceptions: {names}.", names=listed(names, _MOST_LISTED))
    if groups:
        known = join(" ", (tr("Groups: {names}.", names=listed(groups, _MOST_LISTED)), known))
    return join(" ", (unknown, known))


def _guessed(policy: Policy, guesses: tuple[str, ...]) -> str:
    """Return the names; if there are several, with their descriptions."""
    if len(guesses) == 1:
        return guesses[0]
    described = {each.name: each.description for each in policy.exceptions}
    return one_of(
        f"{each} ({quoted(described[each])})" if described.get(each) else each for each in guesses
    )


def _about_country(policy: Policy, name: str, verb: str) -> str:
    """Return what to do about a country; empty if the name is not a country's."""
    code = country_meant(plain(name))
    if code is None:
        return ""
    codes = [each for each in policy.countries if each != code]
    codes += [code] if verb == "allow" else []
    listed = ", ".join(f'"{each}"' for each in codes)
    rule = f"  [allow]\n  countries = [{listed}]"
    if verb == "allow":
        return tr(
            "Countries are not exceptions. To allow {country}, write\n{rule}\n"
            "into a file of your rules and run 'geofence refresh'.",
            country=country_name(code),
            rule=rule,
        )
    return tr(
        "Countries are not exceptions. To block {country}, write\n{rule}\n"
        "into a file of your rules and run 'geofence refresh'.",
        country=country_name(code),
        rule=rule,
    )


def _about_address(policy: Policy, name: str, verb: str) -> str:
    """Return what to do about an address or prefix; empty if the name is not one."""
    try:
        meant = prefix(plain(name))
    except Mistake:
        return ""
    space = AddressSpace.of((meant,))
    holding = [
        each.name for each in policy.exceptions if not space - (each.prefixes | each.last_known)
    ]
    if holding:
        return tr(
            "The exception {name} contains this address: run '{command}'.",
            name=holding[0],
            command=f"geofence {verb} {holding[0]}",
        )
    if verb != "allow":
        return tr("No exception contains this address; 'geofence why' shows what allows it.")
    return _written(f'prefixes = ["{meant}"]', "apply")


def _about_host(policy: Policy, name: str) -> str:
    """Return what to do about a host name; empty if the name is not one."""
    try:
        host = host_name(plain(name))
    except Mistake:
        return ""
    if "." not in host:
        return ""
    holding = [each.name for each in policy.exceptions if host in (*each.hosts, *each.srv)]
    if holding:
        return tr("The exception {name} has this host: use that name.", name=holding[0])
    key = "srv" if is_srv_name(host) else "hosts"
    return _written(f'{key} = ["{host}"]', "refresh")


def _written(line: str, verb: str) -> str:
    return tr(
        "To allow it, write\n{rule}\n"
        "with a name of your choice into a file of your rules and run '{command}'.",
        rule=f"  [exception.NAME]\n  {line}",
        command=f"geofence {verb}",
    )
