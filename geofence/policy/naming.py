"""Exceptions by the names of them and of their groups, and what an unknown name may mean."""

from __future__ import annotations

from geofence.countries import country_meant, country_name
from geofence.errors import UsageError
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.policy.addresses import host_name, prefix
from geofence.policy.mistakes import Mistake
from geofence.spelling import likeliest, listed, one_of, plain, quoted
from geofence.translation import join, tr

_MOST_LISTED = 40
"""Names that a message lists."""


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
    holding = [each.name for each in policy.exceptions if host in each.hosts]
    if holding:
        return tr("The exception {name} has this host: use that name.", name=holding[0])
    return _written(f'hosts = ["{host}"]', "refresh")


def _written(line: str, verb: str) -> str:
    return tr(
        "To allow it, write\n{rule}\n"
        "with a name of your choice into a file of your rules and run '{command}'.",
        rule=f"  [exception.NAME]\n  {line}",
        command=f"geofence {verb}",
    )
