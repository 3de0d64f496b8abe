"""Whether the kernel's clock is kept right by somebody, as it says itself.

Source: adjtimex(2).
"""

from __future__ import annotations

import ctypes

_TIMEX_SIZE = 256
"""More than ``struct timex`` has on any platform."""
_ERROR = 5
"""``TIME_ERROR``: the clock is not synchronised."""


def is_synchronised() -> bool | None:
    """Whether the clock is synchronised; None if the kernel does not tell."""
    nothing_to_set = ctypes.create_string_buffer(_TIMEX_SIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    state = int(libc.adjtimex(nothing_to_set))
    return None if state < 0 else state != _ERROR
