"""SHA-256: of little data by Python itself, since to load OpenSSL takes longer than to hash it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LITTLE = 1 << 18
"""Bytes."""
_OWN = ("_sha2", "_sha256")
"""Modules of Python's own: since 3.12, and before."""


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of data, in hexadecimal."""
    loaded = "hashlib" in sys.modules or "ssl" in sys.modules
    own = len(data) < _LITTLE and not loaded  # OpenSSL takes a quarter of the time
    return str(_method(own=own)(data).hexdigest())


@cache
def _method(*, own: bool) -> Callable[[bytes], Any]:
    for name in _OWN if own else ():
        try:
            found: Callable[[bytes], Any] = import_module(name).sha256
        except ModuleNotFoundError:  # Python may be built without it
            continue
        return found
    hashing: Callable[[bytes], Any] = import_module("hashlib").sha256
    return hashing
