"""Other programs' objects under geofence's names, where geofence has applied nothing yet.

Once it has, these names are its own, and what is there and not its own is cleared away.
"""

from __future__ import annotations

from collections.abc import Collection

from geofence.apply import foreign_objects
from geofence.errors import GuardRefusal
from geofence.guards.objection import Guard, Objection, remaining
from geofence.operations.site import Site


def foreign_objections(site: Site) -> tuple[Objection, ...]:
    """Object to a first apply that would delete what another program has made.

    Raises:
        BackendError: the kernel cannot be read.
        StateError: nor can what was applied here.
    """
    found = () if site.generations.ever_recorded() else foreign_objects()
    if not found:
        return ()
    return (
        Objection(
            Guard.FOREIGN,
            "the kernel",
            f"The kernel holds {', '.join(found)}, and geofence has not applied anything here yet.",
            "Another program must have made this, and applying would delete it.",
            str(Guard.FOREIGN),
            "Give it another name in that program.",
        ),
    )


def refuse_foreign(site: Site, accept: Collection[str]) -> None:
    """Stop here if a first apply would delete what another program has made.

    Raises:
        GuardRefusal: it would, and the override is not among ``accept``.
    """
    left = remaining(foreign_objections(site), accept)
    if left:
        raise GuardRefusal("\n".join(map(str, left)))


def refuse_removal(site: Site) -> None:
    """Stop here if nothing is geofence's, and removing would delete what another program has made.

    Raises:
        GuardRefusal: it would.
    """
    found = foreign_objections(site)
    if found:
        raise GuardRefusal(f"{found[0].saw} Another program must have made this: delete it there.")
