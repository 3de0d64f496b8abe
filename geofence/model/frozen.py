"""``dataclass``, ``field`` and ``replace`` for frozen classes that are made fast.

To type checkers, they are those of ``dataclasses``; at run time, those of ``frozen_classes``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    from geofence.model.frozen_classes import dataclass, field, replace

__all__ = ["dataclass", "field", "replace"]
