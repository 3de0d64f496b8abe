"""The shield beside the fence: taken down before the fence changes, and with it.

Who changes the fence takes the shield down first, since the fence may allow somebody next whom the
shield's tables do not have. The process of ``geofence-shield.service`` puts it up again (see
``shield_keeper``).
"""

from __future__ import annotations

from contextlib import suppress

from geofence.errors import BackendUnavailable
from geofence.operations.site import Site

_DIRECTORY = "geofence"


def may_be_up(site: Site) -> bool:
    """Whether the shield can be up; a look that restore at boot can afford."""
    return (site.bpf_directory / _DIRECTORY).exists()


def lower_shield(site: Site) -> None:
    """Take the shield off all interfaces; from then on the fence may change.

    Raises:
        BackendError: it is still there.
    """
    if may_be_up(site):
        # Imported here: on most hosts there is no shield.
        from geofence.shield.pins import lower

        lower(site.bpf_directory)


def remove_shield(site: Site) -> None:
    """Take the shield away with its counters, also the one behind the fence.

    Raises:
        BackendError: it is still there, or the kernel refuses.
    """
    if may_be_up(site):
        from geofence.shield.audit import remove_counters
        from geofence.shield.pins import forget, lower

        lower(site.bpf_directory)
        with suppress(BackendUnavailable):  # then there is no such table
            remove_counters()
        forget(site.bpf_directory)
