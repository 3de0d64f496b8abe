"""Exceptions by the names that a person gives on the command line."""

from __future__ import annotations

from geofence.countries import country_meant, country_name
from geofence.errors import UsageError
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.policy.addresses import host_name, prefix
from geofence.policy.mistakes import Mistake, likeliest, one_of, plain, quoted

_MOST_LISTED = 40
"""Names that an error message lists."""


def exceptions_named(policy: Policy, name: str, verb: str = "allow") -> tuple[NamedException, ...]:
    """The exception of that name, or all exceptions of the group of that name.

    Args:
        policy: the rules.
        name: as it was typed.
        verb: ``allow`` or ``revoke``, for the message.

    Raises:
        UsageError: nothing is called so; the message says what to do if it is a country, an address
            or a host.
    """
    found = tuple(
        exception for exception in policy.exceptions if name in (exception.name, exception.group)
    )
    if found:
        return found
    said = f"No exception or group is called {quoted(name)}"
    advice = _country(policy, name, verb) or _address(policy, name, verb) or _host(policy, name)
    if advice:
        raise UsageError(f"{said}. {advice}")
    names = [exception.name for exception in policy.exceptions]
    groups = list(dict.fromkeys(each.group for each in policy.exceptions if each.group))
    guesses = likeliest(plain(name), (*names, *groups))
    guess = f"; did you mean {_guessed(policy, guesses)}?" if guesses else "."
    raise UsageError(
        f"{said}{guess} "
        f"The rules have {_listed('group', groups)} and {_listed('exception', names)}."
    )


def _guessed(policy: Policy, guesses: tuple[str, ...]) -> str:
    """The names; with what they stand for, if there are several."""
    if len(guesses) == 1:
        return guesses[0]
    described = {each.name: each.description for each in policy.exceptions}
    return one_of(
        f"{each} ({quoted(described[each])})" if described.get(each) else each for each in guesses
    )


def _country(policy: Policy, name: str, verb: str) -> str:
    """What to do about a country; empty if it is none."""
    code = country_meant(plain(name))
    if code is None:
        return ""
    codes = [each for each in policy.countries if each != code]
    codes += [code] if verb == "allow" else []
    listed = ", ".join(f'"{each}"' for each in codes)
    return (
        f"Countries are not exceptions: to {verb} {country_name(code)}, write\n"
        f"  [allow]\n  countries = [{listed}]\n"
        "into a file of your rules and run 'geofence refresh'."
    )


def _address(policy: Policy, name: str, verb: str) -> str:
    """What to do about an address or prefix; empty if it is none."""
    try:
        meant = prefix(plain(name))
    except Mistake:
        return ""
    space = AddressSpace.of((meant,))
    holding = [
        each.name for each in policy.exceptions if not space - (each.prefixes | each.last_known)
    ]
    if holding:
        return f"The exception {holding[0]} holds this address: run 'geofence {verb} {holding[0]}'."
    if verb != "allow":
        return "No exception names this address; 'geofence why' says what allows it."
    return _written(f'prefixes = ["{meant}"]', "apply")


def _host(policy: Policy, name: str) -> str:
    """What to do about a host name; empty if it is none."""
    try:
        host = host_name(plain(name))
    except Mistake:
        return ""
    if "." not in host:
        return ""
    holding = [each.name for each in policy.exceptions if host in each.hosts]
    if holding:
        return f"The exception {holding[0]} names this host; use that name."
    return _written(f'hosts = ["{host}"]', "refresh")


def _written(line: str, verb: str) -> str:
    return (
        f"To allow it, write\n  [exception.NAME]\n  {line}\n"
        f"with a name of your choice into a file of your rules and run 'geofence {verb}'."
    )


def _listed(what: str, names: list[str]) -> str:
    """``the groups a and b``."""
    if not names:
        return f"no {what}"
    shown = names[:_MOST_LISTED]
    rest = len(names) - len(shown)
    many = "s" if len(names) > 1 else ""
    return f"the {what}{many} {', '.join(shown)}" + (f" and {rest} more" if rest else "")
