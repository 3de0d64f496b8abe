"""Exceptions by the names of them and of their groups, and what an unknown name may mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from geofence.errors import UsageError
from geofence.geoip.countries import country_meant, country_name
from geofence.model.address import Address
from geofence.model.frozen import dataclass, field
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.policy.addresses import host_name, prefix
from geofence.policy.mistakes import Mistake
from geofence.spelling import likeliest, listed, one_of, plain, quoted
from geofence.translation import join, tr

_MOST_LISTED = 40
"""Names that a message lists."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What ``allow`` or ``revoke`` was told to allow or revoke."""

    exceptions: tuple[NamedException, ...] = ()
    """Those that the rules have, by name or by group."""
    addresses: Mapping[str, AddressSpace] = field(default_factory=dict)
    """Addresses, prefixes and ranges, by how they were typed."""
    hosts: tuple[str, ...] = ()

    @property
    def space(self) -> AddressSpace:
        """All addresses together."""
        return AddressSpace.union(self.addresses.values())


def targets(policy: Policy, words: Iterable[str], verb: str = "allow") -> Targets:
    """Return what words mean: exceptions, groups, addresses, prefixes, ranges and host names.

    Args:
        policy: the rules.
        words: as they were typed.
        verb: ``allow`` or ``revoke``, for messages.

    Raises:
        UsageError: a word means nothing.
    """
    exceptions: dict[str, NamedException] = {}
    spaces: dict[str, AddressSpace] = {}
    hosts: list[str] = []
    for word in words:
        named = _having(policy, word)
        if named or not re.search(r"[.:/]", plain(word)):
            found = named or exceptions_named(policy, word, verb)
            _refuse_derived(policy, found)
            exceptions |= {each.name: each for each in found}
            continue
        meant = _address_or_host(plain(word))
        if isinstance(meant, AddressSpace):
            spaces[plain(word)] = meant
        else:
            hosts.append(meant)
    return Targets(tuple(exceptions.values()), spaces, tuple(dict.fromkeys(hosts)))


def _refuse_derived(policy: Policy, found: Iterable[NamedException]) -> None:
    """Raise an error about exceptions that no rule defines, so that no switch would change them."""
    derived = [each.name for each in found if each.derived_from]
    if derived:
        names = dict.fromkeys((*policy.asterisk.ignored, *derived))
        raise UsageError(
            tr(
                "{name} comes from Asterisk's configuration, as long as the rules follow it. To "
                "block it, write this in the rules: [asterisk] ignored = {ignored}",
                name=listed(derived, _MOST_LISTED),
                ignored=f"[{', '.join(map(quoted, names))}]",
            )
        )


def _address_or_host(text: str) -> AddressSpace | str:
    """Return the addresses that a text means, or the host name.

    Raises:
        UsageError: it is neither.
    """
    readers: tuple[Callable[[str], AddressSpace | str], ...] = (addresses, host_name)
    mistakes: list[Mistake] = []
    for read in readers:
        try:
            return read(text)
        except Mistake as mistake:
            mistakes.append(mistake)
    of_address, of_host = mistakes
    is_host = re.search(r"[g-z]", text, re.IGNORECASE)
    raise UsageError(str(of_host if is_host else of_address))


def addresses(text: str) -> AddressSpace:
    """Read an address, a prefix, or a range of addresses such as ``192.0.2.1-192.0.2.9``.

    Raises:
        Mistake: it is none of them.
    """
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        ends = (Address.parse(first), Address.parse(last)) if dash else None
    except ValueError:
        ends = None
    if ends is None:
        return AddressSpace.of((prefix(text),))
    start, end = ends
    if start.family is not end.family or end.number < start.number:
        wrong = tr("{value} is not a range of addresses", value=quoted(text))
        expected = tr("two addresses of one family, the lower one first")
        raise Mistake(wrong, expected)
    held = PrefixSet.of_ranges(start.family, [start.number], [end.number + 1])
    return AddressSpace(ipv4=held) if start.family is Family.IPV4 else AddressSpace(ipv6=held)


def exceptions_named(policy: Policy, name: str, verb: str = "allow") -> tuple[NamedException, ...]:
    """Return the exception of that name, or all exceptions of the group of that name.

    Args:
        policy: the rules.
        name: as it was typed.
        verb: ``allow`` or ``revoke``, for the message.

    Raises:
        UsageError: nothing has that name; the message says what to do if it is a country.
    """
    found = _having(policy, name)
    if found:
        return found
    code = country_meant(plain(name))
    if code is None:
        raise UsageError(_unknown(policy, name))
    raise UsageError(
        tr(
            "{name} is a country ({country}), not an exception; run '{command}'.",
            name=quoted(name),
            country=country_name(code),
            command=f"geofence {verb} --country {code}",
        )
    )


def _having(policy: Policy, name: str) -> tuple[NamedException, ...]:
    return tuple(
        exception for exception in policy.exceptions if name in (exception.name, exception.group)
    )


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
