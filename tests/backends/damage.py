"""The damage that can be done to each backend's fence, which its own folder knows."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast


def damage(backend: str) -> Mapping[str, str]:
    """Commands by what they do; all have ``its rules flushed``, ``a chain emptied`` and
    ``a set emptied``.
    """
    return cast("Mapping[str, str]", import_module(f"tests.backends.{backend}.damage").DAMAGE)
