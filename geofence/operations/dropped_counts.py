"""Counts over time of what rules drop: what their counters gained since the last look.

Counts decide nothing, and no failure of theirs is one of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from geofence.errors import StateError
from geofence.host.boot import boot_id
from geofence.model.counts import Counted, CountKey, Resolution, Tallies, Tally, gained
from geofence.model.plan import Count
from geofence.operations.site import Site
from geofence.state.counts import CountStore, Look

_LOOK_EVERY = timedelta(minutes=1)
"""How long gains of the rules' counters may wait to be written, unless rules are made anew."""
_TRIES = 3
"""How often gains are found out anew because another process has looked at sources meanwhile."""


def keep_dropped(site: Site, dropped: Mapping[str, Count], *, anew: bool) -> None:
    """Add what the counters of rules have gained. ``keep_sources`` tells of a failure.

    Args:
        site: the installation.
        dropped: what they showed, by service.
        anew: whether the rules, and with them the counters, have been made anew since.
    """
    if site.state_directory.is_dir():
        with suppress(StateError):
            _keep_dropped(CountStore(site.state_directory), dropped, anew=anew)


def _keep_dropped(store: CountStore, dropped: Mapping[str, Count], *, anew: bool) -> None:
    for _ in range(_TRIES):
        if _kept_dropped(store, dropped, anew=anew):
            return


def _kept_dropped(store: CountStore, dropped: Mapping[str, Count], *, anew: bool) -> bool:
    """Add what was dropped; false if another process has looked at sources meanwhile."""
    last, now, boot = store.last(), datetime.now(UTC), boot_id()
    if not anew and last.at and timedelta() <= now - last.at < _LOOK_EVERY:
        return True
    shown = {
        CountKey(Counted.SERVICE, name): Tally(count.packets, count.octets)
        for name, count in dropped.items()
    }
    more = gained(last.of(boot, Counted.SERVICE), shown)
    if not more and not anew and last.at:
        return True
    others = last.of(boot, *(set(Counted) - {Counted.SERVICE}))
    stands = {**others, **({} if anew else shown)}
    gains: dict[Resolution | None, Tallies] = dict.fromkeys((*Resolution, None), more)
    return store.add(Look(now, boot, stands, last.sources_at), gains, after=last)
