"""``ban``, ``unban`` and ``bans``: addresses that are blocked for a time.

A ban does not wait for runs that fetch or apply: it has a lock and a record of its own. The record
comes first, so that a killed command is completed by the next run.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from geofence.backends.interface import Backend
from geofence.errors import BackendError, GuardRefusal, UsageError
from geofence.guards.ban_targets import BanRefusal, Protected, space_of
from geofence.model.bans import Ban
from geofence.model.elements import Element
from geofence.model.prefixes import AddressSpace, Family, Prefix, prefix_text
from geofence.model.ruleset import Role, SetKey
from geofence.operations.runtime import BAN_KEYS, hold_bans, holders, timed
from geofence.operations.site import Site
from geofence.sentences.bans import ban_refusal
from geofence.state.bans import Banned
from geofence.translation import join, tr

_PROTECTED_FOR = 10.0
"""Seconds for which what must not be banned is taken for known, where bans come by the hundred."""


@dataclass(frozen=True, slots=True)
class CurrentBan:
    """A ban that lasts, with what it has dropped."""

    ban: Ban
    packets: int | None = None
    """Packets that were dropped since it was put into the kernel; None: it is not there."""
    octets: int = 0
    spared: AddressSpace | None = None
    """What of it stays allowed, as an exception or a local network."""


@dataclass(frozen=True, slots=True)
class BanChange:
    """What ``ban`` or ``unban`` has done."""

    banned: tuple[Ban, ...] = ()
    unbanned: tuple[Prefix, ...] = ()
    in_kernel: bool = True
    """Whether a fence is up in which it counts."""


class Bans:
    """The bans of an installation, for one change or for many."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: tuple[tuple[int, int], Banned] | None = None
        self._protected: tuple[float, Protected] | None = None

    def ban(
        self, prefixes: Sequence[Prefix], lasting: timedelta | None, reason: str = ""
    ) -> BanChange:
        """Ban prefixes, all or none. A ban is never shortened by another.

        Args:
            prefixes: what to ban.
            lasting: for how long; None: until it is unbanned.
            reason: as people will read it.

        Raises:
            GuardRefusal: one of them must not be banned; the message says why.
            StateError: the record could not be written; nothing was changed.
            BackendError: the kernel refused; the next run puts it there.
        """
        self._refuse(prefixes)
        now = datetime.now(UTC)
        until = None if lasting is None else now + lasting
        with self._site.bans.held(self._site.lock_seconds):
            before = self._load().lasting(now)
            made = [_made(prefix, now, until, reason, before) for prefix in dict.fromkeys(prefixes)]
            self._site.bans.append(made)
            after = before | {ban.prefix: ban for ban in made}
            self._remember(after, len(made))
            in_kernel = _change(after, made, [ban.prefix for ban in made if ban.prefix in before])
        return BanChange(banned=tuple(made), in_kernel=in_kernel)

    def unban(self, prefixes: Sequence[Prefix]) -> BanChange:
        """End bans, all or none.

        Raises:
            UsageError: one of them is not banned; the message says what is banned instead.
            StateError: the record could not be written; nothing was changed.
            BackendError: the kernel refused; the next run does it.
        """
        now = datetime.now(UTC)
        with self._site.bans.held(self._site.lock_seconds):
            before = self._load().lasting(now)
            _require(prefixes, before)
            gone = list(dict.fromkeys(prefixes))
            self._site.bans.append(unbanned=gone)
            after = {prefix: ban for prefix, ban in before.items() if prefix not in set(gone)}
            self._remember(after, len(gone))
            in_kernel = _change(after, [], gone)
        return BanChange(unbanned=tuple(gone), in_kernel=in_kernel)

    def all(self) -> tuple[CurrentBan, ...]:
        """Return the bans that last, those that end first at the front."""
        now = datetime.now(UTC)
        lasting = self._load().lasting(now).values()
        protected = self._protecting() if lasting else Protected()
        counts = _counts()
        return tuple(
            _current(ban, counts, protected)
            for ban in sorted(lasting, key=lambda ban: (ban.until is None, ban.until, ban.prefix))
        )

    def _load(self) -> Banned:
        """Return what the log says; as remembered, if nobody else has written to it."""
        mark = self._mark()
        if self._known is None or self._known[0] != mark:
            self._known = (mark, self._site.bans.load())
        return self._known[1]

    def _remember(self, bans: Mapping[Prefix, Ban], lines: int) -> None:
        before = self._known[1].lines if self._known else 0
        self._known = (self._mark(), Banned(bans, before + lines))

    def _mark(self) -> tuple[int, int]:
        try:
            facts = self._site.bans.path.stat()
        except OSError:
            return (0, 0)
        return (facts.st_ino, facts.st_size)

    def _refuse(self, prefixes: Iterable[Prefix]) -> None:
        protected = self._protecting()
        refused = [(each, why) for each in prefixes if (why := protected.refusal(each))]
        if refused:
            said = join("\n", (ban_refusal(prefix, why) for prefix, why in refused))
            raise BanRefused(said, refused[0][1])

    def _protecting(self) -> Protected:
        now = time.monotonic()
        if self._protected is None or now - self._protected[0] > _PROTECTED_FOR:
            self._protected = (now, protected(self._site))
        return self._protected[1]


class BanRefused(GuardRefusal):
    """A prefix must not be banned."""

    def __init__(self, message: str, why: BanRefusal) -> None:
        super().__init__(message)
        self.why = why


def protected(site: Site) -> Protected:
    """Return what is never banned here: own addresses, local networks, exceptions as they are now.

    Raises:
        RulesError: the rules do not load.
        BackendError: the kernel does not tell.
    """
    from geofence.routing.local_networks import local_networks
    from geofence.routing.routes import local_addresses, read_places

    policy = site.policy()
    local = AddressSpace.of(each.prefix for each in local_networks(policy, read_places()))
    keys = [
        SetKey(role, service.name, family)
        for role in (Role.EXCEPTION, Role.TIMED)
        for service in policy.services
        for family in Family
    ]
    allowed = space_of(
        (key.family, each.first, each.past)
        for backend in holders(keys)
        for key in keys
        for each in backend.elements(key)
    )
    return Protected(local_addresses(), local, allowed)


def _made(
    prefix: Prefix,
    now: datetime,
    until: datetime | None,
    reason: str,
    before: Mapping[Prefix, Ban],
) -> Ban:
    new = Ban(prefix, now, until, reason)
    return before[prefix].together(new) if prefix in before else new


def _change(after: Mapping[Prefix, Ban], added: Sequence[Ban], removed: Sequence[Prefix]) -> bool:
    """Change the kernel's sets; false where there is no fence."""
    found = holders()
    for backend in found:
        _change_in(backend, after, added, removed)
    return bool(found)


def _change_in(
    backend: Backend, after: Mapping[Prefix, Ban], added: Sequence[Ban], removed: Sequence[Prefix]
) -> None:
    now = time.time()
    elements = [timed(ban) for ban in added]
    for key in BAN_KEYS:
        if not any(
            prefix.family is key.family for prefix in (*removed, *(ban.prefix for ban in added))
        ):
            continue
        try:
            backend.put(key, elements, removed, now)
        except BackendError:  # overlaps, or what is no element as it is: all are looked through
            hold_bans(backend, after.values())
            return


def _require(prefixes: Iterable[Prefix], bans: Mapping[Prefix, Ban]) -> None:
    for prefix in prefixes:
        if prefix in bans:
            continue
        around = [
            each
            for each in bans
            if each.family is prefix.family
            and each.network <= prefix.network
            and prefix.past <= each.past
        ]
        if around:
            raise UsageError(
                tr(
                    "{prefix} is banned as part of {around}. Run 'geofence unban {around}', then "
                    "ban the rest again.",
                    prefix=prefix_text(prefix),
                    around=prefix_text(around[0]),
                )
            )
        raise UsageError(
            tr(
                "{prefix} is not banned. 'geofence bans' lists all bans.",
                prefix=prefix_text(prefix),
            )
        )


def _counts() -> dict[Family, list[Element]]:
    """Return the elements of the sets of bans, ascending; none where there is no fence."""
    found: dict[Family, list[Element]] = {}
    for backend in holders():
        for key in BAN_KEYS:
            found.setdefault(key.family, []).extend(backend.elements(key))
    return {family: sorted(elements) for family, elements in found.items()}


def _current(
    ban: Ban, counts: Mapping[Family, Sequence[Element]], protected: Protected
) -> CurrentBan:
    """Return a ban with what its elements have counted; they may be parts of it, or around it."""
    elements = counts.get(ban.prefix.family, ())
    spared = protected.spared(ban.prefix)
    start = bisect_right(elements, ban.prefix.network, key=lambda each: each.past)
    within = []
    for each in elements[start:]:
        if each.first >= ban.prefix.past:
            break
        within.append(each)
    if not within:
        return CurrentBan(ban, None, 0, spared)
    return CurrentBan(ban, sum(e.packets for e in within), sum(e.octets for e in within), spared)
