"""Objects of other programs that have geofence's names, before geofence has applied anything.

Once it has applied something, these names belong to it, and it removes what it did not make.
"""

from __future__ import annotations

from collections.abc import Collection

from geofence.apply import foreign_objects
from geofence.errors import GuardRefusal
from geofence.guards.objection import Guard, Objection, remaining
from geofence.operations.site import Site
from geofence.translation import join, tr


def foreign_objections(site: Site) -> tuple[Objection, ...]:
    """Return an objection if a first apply would delete objects of another program.

    Raises:
        BackendError: the kernel cannot be read.
        StateError: the state directory cannot be read.
    """
    found = () if site.generations.ever_recorded() else foreign_objects()
    if not found:
        return ()
    return (
        Objection(
            Guard.FOREIGN,
            "the kernel",
            _found(found),
            tr("Another program must have made this, and applying would delete it."),
            str(Guard.FOREIGN),
            tr("Rename it in that program."),
        ),
    )


def refuse_foreign(site: Site, accept: Collection[str]) -> None:
    """Raise an error if a first apply would delete objects of another program.

    Raises:
        GuardRefusal: it would, and the override is not among ``accept``.
    """
    left = remaining(foreign_objections(site), accept)
    if left:
        raise GuardRefusal(join("\n", map(str, left)))


def refuse_removal(site: Site) -> None:
    """Raise an error if removing would delete objects of another program alone.

    Raises:
        GuardRefusal: it would.
    """
    found = foreign_objections(site)
    if found:
        raise GuardRefusal(
            tr(
                "{found} Another program must have made this. Delete it in that program.",
                found=found[0].saw,
            )
        )


def _found(objects: Collection[str]) -> str:
    return tr(
        "The kernel has {objects}, but geofence has not applied anything on this host yet.",
        objects=", ".join(objects),
    )
