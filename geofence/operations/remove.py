"""``remove``: take the fence out of the kernel."""

from __future__ import annotations

from geofence.apply import remove_all
from geofence.model.ruleset import Ruleset
from geofence.operations.confirm import forget
from geofence.operations.shield import remove_shield
from geofence.operations.site import Site
from geofence.state.lock import exclusive
from geofence.state.removal import note_removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.model.notes import Note


def remove(site: Site) -> tuple[str, ...]:
    """Remove the fence from the kernel, and return the names of the backends that held it.

    Raises:
        GuardRefusal: what has geofence's names in the kernel is another program's.
    """
    from geofence.operations.foreign import refuse_removal

    refuse_removal(site)
    if not site.state_directory.is_dir():
        return remove_fence(site)
    with exclusive(site.state_directory, site.lock_seconds):
        site.tidy()
        probation = site.journal.probation()
        names = remove_fence(site)
        note_removal(site.state_directory)
        if probation is not None:  # the next restore is not to bring back what was not confirmed
            forget(site, probation)
        return names


def remove_fence(site: Site) -> tuple[str, ...]:
    """Remove the fence without recording it; the caller holds the lock, if there is one."""
    # Imported here: restore at boot removes nothing, and should not wait for the module.
    from geofence.operations.counts import keep_before_removal

    remove_shield(site)  # first: there is no shield without its fence
    keep_before_removal(site)
    names = remove_all()
    if names:
        site.log_change("remove", f"the fence ({', '.join(names)}) is removed: there is no fence")
        unblock_connections(None)
    return names


def unblock_connections(ruleset: Ruleset | None) -> tuple[Note, ...]:
    """Unblock dropped connections that a ruleset allows; None is no fence at all."""
    # Imported here: restore at boot needs no live flows, and should not wait for the module.
    from geofence.operations.live_flows import unblock

    return unblock(ruleset)
