"""Rules from text, and what is complained of in them."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import dedent

import pytest

from geofence.errors import RulesError
from geofence.model.policy import Policy
from geofence.policy.files import RulesFile
from geofence.policy.load import combined
from geofence.policy.mistakes import Problems


def policy_of(files: Iterable[RulesFile]) -> Policy:
    """The policy of some drop-ins."""
    return combined(tuple(files), Problems())


def policy(*texts: str) -> Policy:
    """The policy of drop-ins called ``1.toml``, ``2.toml`` and so on."""
    files = (RulesFile(f"{number}.toml", dedent(text)) for number, text in enumerate(texts, 1))
    return policy_of(files)


def complaints(*texts: str) -> list[str]:
    """The lines of the error that the drop-ins make."""
    with pytest.raises(RulesError) as caught:
        policy(*texts)
    return str(caught.value).splitlines()
