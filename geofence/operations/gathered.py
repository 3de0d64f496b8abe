"""The lists that a run has gathered, and their storing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from geofence.guards.settling import Refusal
from geofence.host.ownership import Ways
from geofence.lists.parsed import Candidate
from geofence.mirror.memory import MirrorMemory
from geofence.model.frozen import dataclass
from geofence.model.lists import AcceptedList, ListId
from geofence.model.notes import Note
from geofence.operations.report import ListReport
from geofence.operations.site import Site
from geofence.state.backoff import save_busy
from geofence.state.mirrors import save_mirrors
from geofence.state.versions import History, is_latest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.state.lists import ListStore
    from geofence.state.versions import VersionStore


@dataclass(frozen=True, slots=True)
class Gathered:
    """The lists of a run, and the new versions to store."""

    reports: tuple[ListReport, ...]
    renewed: tuple[Candidate, ...] = ()
    confirmed: tuple[AcceptedList, ...] = ()
    only_later: Mapping[ListId, datetime] | None = None
    """Confirmed ones with no other change, and when each was confirmed before, UTC."""
    notes: tuple[Note, ...] = ()
    """On damaged files that were skipped, and on oddities of new versions."""
    refusals: Mapping[ListId, Refusal] | None = None
    """Lists that checks refuse, with those of earlier runs that go on; None: none was fetched."""
    news: tuple[Note, ...] = ()
    """Notes that ``[notify]`` is told although the run went well."""
    busy: Mapping[str, datetime] | None = None
    """Hosts that asked for a pause, and until when, UTC; None if none was asked."""
    mirrors: MirrorMemory | None = None
    """What is to be remembered of signed mirrors; None if none was asked."""

    def store(self, site: Site) -> Mapping[ListId, History]:
        """Store new versions; the caller holds the lock.

        Returns:
            The latest version of each list, as it is from now on.

        Raises:
            StateError: not all could be written; none is half-written.
        """
        if self.busy is not None:
            save_busy(site.state_directory, self.busy)
        if self.mirrors is not None:
            save_mirrors(site.state_directory, self.mirrors)
        try:
            histories = self._store_lists(site)
        finally:
            site.lists.flush()
        if self.refusals is not None:
            site.refusals.save(self.refusals)
        return histories

    def _store_lists(self, site: Site) -> dict[ListId, History]:
        lists, versions, ways = site.lists, site.versions, Ways()
        histories: dict[ListId, History] = {}
        for candidate in self.renewed:
            name = candidate.accepted.id
            if name.kind.is_from_dns:  # a name may change every minute, and has no history
                lists.save(candidate)
                continue
            history = versions.load(name, ways)
            former = lists.load(name).accepted if history.latest is None else None
            lists.save(candidate, ways)
            noted = versions.note(
                candidate.accepted,
                former=former,
                history=history,
                sha256=candidate.fingerprint,
            )
            histories[name] = History(noted.latest)
        return histories | self._confirm(lists, versions, ways)

    def _confirm(
        self, lists: ListStore, versions: VersionStore, ways: Ways
    ) -> dict[ListId, History]:
        """Store when lists were confirmed; for those that are otherwise unchanged, in one file."""
        histories: dict[ListId, History] = {}
        later: dict[ListId, tuple[datetime, datetime]] = {}
        for accepted in self.confirmed:
            name, at = accepted.id, accepted.checked_at
            history = History() if name.kind.is_from_dns else versions.load(name, ways)
            before = (self.only_later or {}).get(name)
            if before and is_latest(history, accepted.space, before):
                later[name] = before, at
                histories[name] = History(history.latest).confirmed(at)
                continue
            before = lists.renew(accepted)
            if not name.kind.is_from_dns:
                noted = versions.note(accepted, before=before, history=history)
                histories[name] = History(noted.latest)
        lists.confirm(later)
        return histories
