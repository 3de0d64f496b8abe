"""The backend that a run used, and the reason for it."""

from __future__ import annotations

from enum import StrEnum

from geofence.model.frozen import dataclass


class ChosenBy(StrEnum):
    """Who chose the backend."""

    RULES = "rules"
    """``backend`` in the rules."""
    OPTION = "option"
    """``--backend``."""
    GENERATION = "generation"
    """The generation that is in force."""
    AUTOMATIC = "automatic"
    """geofence, since the rules say ``auto``."""
    TARGET = "target"
    """``[target.NAME] kind``: no backend, but objects of a cluster."""
    NOBODY = "nobody"
    """No backend was used, or none could be."""


@dataclass(frozen=True, slots=True)
class ChosenBackend:
    """The name of a backend, with the reason as facts."""

    name: str
    """Empty where no backend was used."""
    by: ChosenBy = ChosenBy.NOBODY
    generation: int | None = None
    """The number of the generation that had it."""
    against: tuple[str, ...] = ()
    """What speaks against it, or against backends that come before it: a sentence each."""
    target: str = ""
    """Name of the target whose kind it is; empty for a backend of this host."""


NO_BACKEND = ChosenBackend("")
