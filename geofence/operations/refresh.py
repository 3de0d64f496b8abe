"""``refresh``: fetch the lists, apply the rules with them, and renew the world index."""

from __future__ import annotations

from geofence.model.frozen import replace
from geofence.model.lists import ListKind
from geofence.operations.apply import apply_rules
from geofence.operations.atlas import renew_if_due
from geofence.operations.commit import Wish, check_overrides, holding
from geofence.operations.confirm import refuse_pending
from geofence.operations.counts import keep_sources
from geofence.operations.list_notes import log_names
from geofence.operations.lists import Watch, fetched, unwatched
from geofence.operations.mirror import publish_if_asked
from geofence.operations.outcome import told
from geofence.operations.report import RunReport
from geofence.operations.rules_of_run import rules_of_run
from geofence.operations.site import Site
from geofence.state.files import ensure_private_directory


def refresh_and_renew(site: Site, wish: Wish, watch: Watch = unwatched) -> RunReport:
    """Refresh and record how it ended; then publish the lists and renew the world index.

    Both only if the rules say so. The fence does not wait for them or for the counts over time, and
    no failure of these is one of the refresh.

    Raises:
        GeofenceError: what the refresh raised.
    """
    report = told(site, "refresh", lambda: refresh(site, wish, watch))
    published = publish_if_asked(site)
    renewed = renew_if_due(site, report, watch)
    return replace(report, notes=(*report.notes, *published, *renewed, *keep_sources(site)))


def refresh(site: Site, wish: Wish, watch: Watch = unwatched) -> RunReport:
    """Fetch the lists, then apply: what runs daily.

    The network is asked before the lock is taken, so that nobody waits for a slow server.

    Raises:
        UsageError: an override has an unknown check or list.
        BusyError: another run holds the lock, or a ruleset waits to be confirmed.
    """
    ensure_private_directory(site.state_directory)
    policy = rules_of_run(site, wish.accept).policy
    refuse_pending(site)
    check_overrides(policy, wish.accept)  # now, too: nothing is to be fetched and stored for a slip
    gathered = fetched(site, policy, tuple(ListKind), wish.accept, watch)
    with holding(site):
        histories = gathered.store(site)
        gathered = replace(gathered, renewed=(), confirmed=())  # their bodies take memory
        report = apply_rules(site, wish, gathered.reports, histories)
        log_names(site, wish.reason, gathered.notes, report.generation)
        told = report.with_notes((*gathered.notes, *gathered.news))
        return replace(told, news=gathered.news)
