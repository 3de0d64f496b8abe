"""``dataclass``, ``field``, ``replace`` and ``NamedTuple`` for classes that are made fast.

To type checkers, they are those of ``dataclasses`` and ``typing``; at run time, those of
``frozen_classes``. Modules that ``restore`` imports at boot do without ``typing`` altogether: what
they need of it is for type checkers alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
    from typing import NamedTuple
else:
    from geofence.model.frozen_classes import NamedTuple, dataclass, field, replace

__all__ = ["NamedTuple", "dataclass", "field", "replace"]
