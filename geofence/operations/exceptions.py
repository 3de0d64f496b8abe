"""``allow`` and ``revoke``: exceptions switched on and off in the file the command line owns."""

from __future__ import annotations

from geofence.errors import StateError, UsageError
from geofence.model.policy import NamedException, Policy
from geofence.operations.site import Site
from geofence.policy import exceptions_named
from geofence.policy.owned import with_enabled
from geofence.state.files import write_atomically


def switch(site: Site, names: tuple[str, ...], *, enabled: bool) -> tuple[NamedException, ...]:
    """Persist that exceptions (or groups of them) are on or off; the caller holds the lock.

    Returns:
        The exceptions named, as they were.

    Raises:
        UsageError: a name is no exception and no group, or a later file says otherwise.
        RulesError: the rules do not load, before or after; the file is as it was.
        StateError: the file could not be written.
    """
    before = site.policy()
    chosen = tuple(exception for name in names for exception in exceptions_named(before, name))
    text = _read(site)
    changed = with_enabled(text, [exception.name for exception in chosen], enabled)
    if changed != text:
        _write(site, changed)
    _require(site.policy(), chosen, enabled=enabled)
    return chosen
