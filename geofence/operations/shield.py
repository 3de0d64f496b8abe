"""The shield beside the fence: taken down before the fence changes, and with it.

Who changes the fence takes the shield down first, since the fence may allow somebody next whom the
shield's tables do not have. The process of ``geofence-shield.service`` puts it up again (see
``shield_keeper``).
"""

from __future__ import annotations

import os
from contextlib import suppress

from geofence.errors import BackendUnavailable
from geofence.operations.site import Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.model.notes import Note

_DIRECTORY = "geofence"


def may_be_up(site: Site) -> bool:
    """Whether the shield can be up; a look that restore at boot can afford."""
    return os.path.lexists(site.bpf_directory / _DIRECTORY)


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
    """Take the shield away with its counters, also the one behind the fence; keep its counts.

    Raises:
        BackendError: it is still there, or the kernel refuses.
    """
    if may_be_up(site):
        from geofence.operations.shield_counts import record_down
        from geofence.shield.audit import remove_counters
        from geofence.shield.pins import forget, lower

        lower(site.bpf_directory)
        record_down(site.state_directory, site.bpf_directory)
        with suppress(BackendUnavailable):  # then there is no such table
            remove_counters()
        forget(site.bpf_directory)


def sample_notes(site: Site) -> tuple[Note, ...]:
    """Return a note that the fence sees only a sample, where the shield is armed."""
    if not may_be_up(site):
        return ()
    from geofence.model.notes import Note, NoteKind
    from geofence.model.shield import ARMED_SAMPLE, ShieldState
    from geofence.state.shield import read_shield

    record = read_shield(site.state_directory)
    if record is None or record.state is not ShieldState.ARMED:
        return ()
    return (Note(NoteKind.SHIELD_SAMPLES, "", {"one_in": ARMED_SAMPLE}),)
