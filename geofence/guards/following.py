"""The guards of a new reading of Asterisk's configuration. Pure.

The configuration belongs to the user of Asterisk, and a web panel writes it. So whoever has taken
over the panel writes it, too. It may add to the fence, and name trunks within limits. It takes no
port out of the fence, and no file that becomes invalid undoes what it once said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from geofence.asterisk.derived import (
    Derived,
    DerivedException,
    FencedPorts,
    derive,
    trunk_key,
)
from geofence.asterisk.fenced_ports import usual_service, without
from geofence.asterisk.reading import PortRange, Reading, Trunk, WarningKind
from geofence.geoip.scopes import PRIVATE
from geofence.guards.objection import Guard, Objection, remaining
from geofence.model.frozen import dataclass, replace
from geofence.model.policy import Policy, Protocol
from geofence.model.prefixes import AddressSpace, Family
from geofence.translation import tr
from geofence.wording import address_count

MOST_ADDRESSES = {Family.IPV4: 1 << 18, Family.IPV6: 1 << (128 - 28)}
"""Public addresses that all trunks together may have: four times the broadest prefix of one. All
prefixes of media that the catalogue knows, of every provider, are a tenth of it."""
MOST_HOSTS = 500
"""Host names that all trunks together may have; each is a question to DNS."""

_BLIND = frozenset({WarningKind.FILE_INVALID, WarningKind.UNREADABLE, WarningKind.TOO_LARGE})
"""What says that a file of the configuration could not be taken into account."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A reading that may be in force, and what of the new one is not in it."""

    reading: Reading
    refusals: tuple[Objection, ...] = ()
    """Objections that no override covers: for these, the last reading stays in force."""
    still_fenced: tuple[FencedPorts, ...] = ()
    """Ports that the new reading does not have, while it has others for the same service."""
    blind: tuple[str, ...] = ()
    """Files that could not be read any more; for all trunks, the last reading stays in force."""


def judge_reading(
    before: Reading | None,
    now: Reading,
    policy: Policy,
    own: AddressSpace,
    accept: Collection[str] = (),
) -> Judged:
    """Return the reading that is to be in force.

    Args:
        before: the one in force; None if there was none.
        now: the configuration as it is.
        policy: the rules, without what is derived.
        own: addresses of this host.
        accept: overrides.

    Raises:
        UsageError: an override has an unknown check.
    """
    known = before or Reading()
    was, new = derive(known, policy, own), derive(now, policy, own)
    blind = newly_blind(before, now)
    lost = _lost(was, new)
    kept = [each for each in lost if not _is_accepted(each.service, accept)]
    moved, gone = _parted(kept, new)
    objections = (*_unfenced(gone), *_broad(was, new), *_many(was, new))
    refusals = remaining(objections, accept)
    trunks = known.trunks if blind else _trunks(known, now, new, refusals)
    reading = _with_ports(replace(now, trunks=trunks), known, kept)
    return Judged(reading, () if blind else refusals, () if blind else moved, blind)


def newly_blind(before: Reading | None, now: Reading) -> tuple[str, ...]:
    """Return the files that the reading in force could take into account and a new one cannot.

    Without one in force, nothing is missed that was there.
    """
    if before is None:
        return ()
    return tuple(name for name in _blind(now) if name not in _blind(before))


def _blind(reading: Reading) -> tuple[str, ...]:
    seen = (each.where for each in reading.unseen if each.kind in _BLIND)
    return tuple(dict.fromkeys((*reading.invalid, *seen)))


def _is_accepted(service: str, accept: Collection[str]) -> bool:
    override = f"{Guard.UNFENCED}={service}".casefold()
    return override in {token.strip().casefold() for token in accept}


def _lost(was: Derived, new: Derived) -> tuple[FencedPorts, ...]:
    """Return the ports that only the former reading lets the rules fence, each in parts."""
    found: list[FencedPorts] = []
    for each in was.missing:
        left = [] if each.left_out else [each.ports]
        for held in new.fenced:
            if not held.left_out:
                left = [part for one in left for part in without(one, held.ports)]
        found += [replace(each, ports=part) for part in left]
    return tuple(found)


def _parted(
    lost: Iterable[FencedPorts], new: Derived
) -> tuple[tuple[FencedPorts, ...], tuple[FencedPorts, ...]]:
    """Return what moved to other ports, and what is gone with all of its service and protocol."""
    there = {(each.service, each.ports.protocol) for each in new.fenced if not each.left_out}
    known = tuple(lost)
    moved = tuple(each for each in known if (each.service, each.ports.protocol) in there)
    return moved, tuple(each for each in known if each not in moved)


def _unfenced(gone: Iterable[FencedPorts]) -> list[Objection]:
    by_service: dict[str, list[FencedPorts]] = {}
    for each in gone:
        by_service.setdefault(each.service, []).append(each)
    return [
        Objection(
            Guard.UNFENCED,
            service,
            tr(
                "Asterisk's configuration no longer has {ports}, for which {service} is fenced.",
                ports=", ".join(str(each.ports) for each in parts),
                service=service,
            ),
            tr("They stay fenced: a file that is cut short or replaced must not open a port."),
            f"{Guard.UNFENCED}={service}",
        )
        for service, parts in by_service.items()
    ]


def _broad(was: Derived, new: Derived) -> list[Objection]:
    in_force = {prefix for each in was.exceptions for prefix in each.broad}
    return [
        Objection(
            Guard.BROAD_TRUNK,
            each.exception.name,
            tr(
                "Asterisk's configuration has a trunk with {prefixes} ({sources}).",
                prefixes=", ".join(map(str, broad)),
                sources=", ".join(each.sources),
            ),
            tr(
                "No provider of trunks has so many addresses. The trunk stays as it was, or is not "
                "allowed."
            ),
            f"{Guard.BROAD_TRUNK}={each.exception.name}",
            tr("Write smaller prefixes there, or an exception of your own."),
        )
        for each in new.exceptions
        if (broad := tuple(one for one in each.broad if one not in in_force))
    ]


def _many(was: Derived, new: Derived) -> list[Objection]:
    """Object to trunks that together have too many addresses or names, if they became more."""
    spaces, former = _public(new.exceptions), _public(was.exceptions)
    added = spaces - former
    saw = [
        address_count(family, spaces[family].size)
        for family in Family
        if added[family] and spaces[family].size > MOST_ADDRESSES[family]
    ]
    names, before = _names(new.exceptions), _names(was.exceptions)
    if len(names) > MOST_HOSTS and names - before:
        saw.append(tr("{number} host names", number=f"{len(names):,}"))
    if not saw:
        return []
    return [
        Objection(
            Guard.MANY_TRUNKS,
            "asterisk",
            tr("The trunks of Asterisk's configuration have {amount}.", amount=", ".join(saw)),
            tr(
                "Real ones have at most {ipv4}, {ipv6} and {hosts} host names. All trunks stay as "
                "they were.",
                ipv4=address_count(Family.IPV4, MOST_ADDRESSES[Family.IPV4]),
                ipv6=address_count(Family.IPV6, MOST_ADDRESSES[Family.IPV6]),
                hosts=MOST_HOSTS,
            ),
            str(Guard.MANY_TRUNKS),
        )
    ]


def _public(exceptions: Iterable[DerivedException]) -> AddressSpace:
    """Return the public addresses of exceptions; broad prefixes are objected to by themselves."""
    spaces = (each.exception.prefixes for each in exceptions if not each.broad)
    return AddressSpace.union(spaces) - PRIVATE


def _names(exceptions: Iterable[DerivedException]) -> set[str]:
    return {str(name) for each in exceptions for name in each.exception.names}


def _trunks(
    known: Reading, now: Reading, new: Derived, refusals: Iterable[Objection]
) -> tuple[Trunk, ...]:
    """Return the trunks of now, but those of before for what is refused."""
    subjects = {(one.guard, one.subject) for one in refusals}
    if any(guard is Guard.MANY_TRUNKS for guard, _ in subjects):
        return known.trunks
    broad = {
        each.key for each in new.exceptions if (Guard.BROAD_TRUNK, each.exception.name) in subjects
    }
    trunks = [each for each in now.trunks if trunk_key(each) not in broad]
    trunks += [each for each in known.trunks if trunk_key(each) in broad]
    unfenced = {subject for guard, subject in subjects if guard is Guard.UNFENCED}
    trunks += [each for each in known.trunks if usual_service(each.use) in unfenced]
    return tuple(dict.fromkeys(trunks))


def _with_ports(now: Reading, known: Reading, kept: Iterable[FencedPorts]) -> Reading:
    """Return a reading with ports of another: listeners as they were, of ranges what is lost."""
    ports = [each.ports for each in kept]
    listeners = [
        each
        for each in known.listeners
        if each.exposed
        and any(held.protocol is each.protocol and each.port in held for held in ports)
    ]
    single = {(each.protocol, each.port) for each in listeners}
    ranges = [
        PortRange(each.ports.first, each.ports.last, each.source)
        for each in kept
        if each.ports.protocol is Protocol.UDP
        and not (each.ports.first == each.ports.last and (Protocol.UDP, each.ports.first) in single)
    ]
    return replace(
        now,
        listeners=tuple(dict.fromkeys((*now.listeners, *listeners))),
        rtp_more=tuple(dict.fromkeys((*now.rtp_more, *ranges))),
    )
