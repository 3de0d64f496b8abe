"""SHA-256: of little data by Python itself, since to load OpenSSL takes longer than to hash it."""

from __future__ import annotations

from importlib import import_module

_LITTLE = 1 << 18
"""Bytes."""
_OWN = ("_sha2", "_sha256")
"""Modules of Python's own: since 3.12, and before."""


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of data, in hexadecimal."""
    for name in _OWN if len(data) < _LITTLE else ():
        try:
            return str(import_module(name).sha256(data).hexdigest())
        except ModuleNotFoundError:  # Python may be built without it
            continue
    return str(import_module("hashlib").sha256(data).hexdigest())
