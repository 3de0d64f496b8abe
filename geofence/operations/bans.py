"""``ban``, ``unban`` and ``bans``: addresses that are blocked for a time.

A ban does not wait for runs that fetch or apply: it has a lock and a record of its own. The record
comes first, so that a killed command is completed by the next run.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from geofence.backends.interface import Backend
from geofence.errors import BackendError, GeofenceError, GuardRefusal, UsageError
from geofence.guards.ban_targets import BanRefusal, Protected, space_of
from geofence.model.bans import Ban, BanOrder, Draft, UnbanOrder
from geofence.model.elements import Element
from geofence.model.prefixes import AddressSpace, Family, Prefix, prefix_text
from geofence.model.ruleset import Role, SetKey
from geofence.operations.runtime import BAN_KEYS, as_timed, hold_bans, holders
from geofence.operations.site import Site
from geofence.sentences.bans import ban_refusal
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
        self._known: tuple[tuple[int, int], dict[Prefix, Ban], int] | None = None
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
        refused = [error for each in prefixes if (error := self.refusal(each))]
        if refused:
            raise BanRefused(join("\n", map(str, refused)), refused[0].why)
        with self._drafting() as draft:
            made = [draft.ban(each, lasting, reason) for each in dict.fromkeys(prefixes)]
            in_kernel = self._commit(draft)
        return BanChange(banned=tuple(made), in_kernel=in_kernel)

    def unban(self, prefixes: Sequence[Prefix]) -> BanChange:
        """End bans, all or none.

        Raises:
            NotBannedError: one of them is not banned; the message says what is banned instead.
            StateError: the record could not be written; nothing was changed.
            BackendError: the kernel refused; the next run does it.
        """
        with self._drafting() as draft:
            gone = tuple(dict.fromkeys(prefixes))
            for prefix in gone:
                self._unban(draft, UnbanOrder(prefix))
            in_kernel = self._commit(draft)
        return BanChange(unbanned=gone, in_kernel=in_kernel)

    def obey(
        self, orders: Sequence[BanOrder | UnbanOrder]
    ) -> tuple[list[GeofenceError | None], bool]:
        """Carry out orders in their sequence, each for itself, in one change of record and kernel.

        Returns:
            For each order why it was not carried out, or None; and whether a fence is up.

        Raises:
            StateError: the record could not be written; nothing was changed.
            BackendError: the kernel refused; the next run does it.
        """
        refusals = [
            self.refusal(each.prefix) if isinstance(each, BanOrder) else None for each in orders
        ]
        with self._drafting() as draft:
            answers: list[GeofenceError | None] = [
                refusal or self._draft(draft, order)
                for order, refusal in zip(orders, refusals, strict=True)
            ]
            in_kernel = self._commit(draft)
        return answers, in_kernel

    def _draft(self, draft: Draft, order: BanOrder | UnbanOrder) -> UsageError | None:
        if isinstance(order, BanOrder):
            draft.ban(order.prefix, order.lasting, order.reason)
            return None
        try:
            self._unban(draft, order)
        except UsageError as error:
            return error
        return None

    def _unban(self, draft: Draft, order: UnbanOrder) -> None:
        ban = draft.get(order.prefix)
        if ban is None:
            raise NotBannedError(_not_banned(order.prefix, self._load(), draft))
        if order.within is not None and (ban.until is None or ban.until > draft.now + order.within):
            raise LastsLongerError(
                tr(
                    "{prefix} stays banned: another ban of it lasts longer.",
                    prefix=prefix_text(order.prefix),
                )
            )
        draft.unban(order.prefix)

    @contextmanager
    def _drafting(self) -> Iterator[Draft]:
        with self._site.bans.held(self._site.lock_seconds):
            yield Draft(self._load(), datetime.now(UTC))

    def _commit(self, draft: Draft) -> bool:
        """Record a draft, then put it into the kernel; false where there is no fence."""
        banned, unbanned, replaced = draft.banned, draft.unbanned, draft.replaced
        if not banned and not unbanned:
            return bool(holders())
        self._site.bans.append(banned, unbanned)
        bans = self._load_changed(banned, unbanned)
        return _change(bans, banned, replaced, draft.now)

    def _load_changed(self, banned: Sequence[Ban], unbanned: Sequence[Prefix]) -> dict[Prefix, Ban]:
        """Return what the log says now, without reading it."""
        assert self._known is not None  # noqa: S101 - for the type checker; a draft has loaded it
        _, bans, lines = self._known
        bans.update((ban.prefix, ban) for ban in banned)
        for prefix in unbanned:
            del bans[prefix]
        self._known = (self._mark(), bans, lines + len(banned) + len(unbanned))
        return bans

    def covers(self, prefix: Prefix) -> bool:
        """Whether a prefix must not be banned, as known for some seconds."""
        return self._protecting().refusal(prefix) is not None

    def all(self) -> tuple[CurrentBan, ...]:
        """Return the bans that last, those that end first at the front."""
        now = datetime.now(UTC)
        lasting = [ban for ban in self._load().values() if ban.lasts(now)]
        protected = self._protecting() if lasting else Protected()
        counts = _counts()
        return tuple(
            _current(ban, counts, protected)
            for ban in sorted(lasting, key=lambda ban: (ban.until is None, ban.until, ban.prefix))
        )

    def _load(self) -> dict[Prefix, Ban]:
        """Return what the log says; as remembered, if nobody else has written to it."""
        mark = self._mark()
        if self._known is None or self._known[0] != mark:
            banned = self._site.bans.load()
            self._known = (mark, dict(banned.bans), banned.lines)
        return self._known[1]

    def _mark(self) -> tuple[int, int]:
        try:
            facts = self._site.bans.path.stat()
        except OSError:
            return (0, 0)
        return (facts.st_ino, facts.st_size)

    def refusal(self, prefix: Prefix) -> BanRefused | None:
        """Return why a prefix must not be banned, as known for some seconds; None if it may."""
        why = self._protecting().refusal(prefix)
        return BanRefused(ban_refusal(prefix, why), why) if why else None

    def _protecting(self) -> Protected:
        now = time.monotonic()
        if self._protected is None or now - self._protected[0] > _PROTECTED_FOR:
            self._protected = (now, protected(self._site))
        return self._protected[1]


class NotBannedError(UsageError):
    """A prefix of which there is no ban."""


class LastsLongerError(UsageError):
    """A ban that stays, since another one than was meant lasts longer."""


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


def _change(
    bans: Mapping[Prefix, Ban], added: Sequence[Ban], removed: Sequence[Prefix], now: datetime
) -> bool:
    """Change the kernel's sets; false where there is no fence."""
    found = holders()
    for backend in found:
        _change_in(backend, bans, added, removed, now)
    return bool(found)


def _change_in(
    backend: Backend,
    bans: Mapping[Prefix, Ban],
    added: Sequence[Ban],
    removed: Sequence[Prefix],
    now: datetime,
) -> None:
    elements = [as_timed(ban) for ban in added]
    families = {prefix.family for prefix in removed} | {ban.prefix.family for ban in added}
    for key in BAN_KEYS:
        if key.family not in families:
            continue
        try:
            backend.put(key, elements, removed, now.timestamp())
        except BackendError:  # overlaps, or what is no element as it is: all are looked through
            hold_bans(backend, [ban for ban in bans.values() if ban.lasts(now)])
            return


def _not_banned(prefix: Prefix, bans: Mapping[Prefix, Ban], draft: Draft) -> str:
    for each in bans:
        if (
            each.family is prefix.family
            and each.network <= prefix.network
            and prefix.past <= each.past
            and draft.get(each)
        ):
            return tr(
                "{prefix} is banned as part of {around}. Run 'geofence unban {around}', then "
                "ban the rest again.",
                prefix=prefix_text(prefix),
                around=prefix_text(each),
            )
    return tr(
        "{prefix} is not banned. 'geofence bans' lists all bans.",
        prefix=prefix_text(prefix),
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
