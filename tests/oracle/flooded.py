"""A fence on nftables at each of whose addresses more is dropped than is noted, all the time."""

from __future__ import annotations

import re
import subprocess

from geofence.backends.nftables.backend import NftablesBackend
from geofence.model.plan import Plan
from geofence.model.prefixes import Family, address_text
from geofence.routing.routes import read_local

NOT_NOTED = "was not noted"
"""What the oracle says of strangers then: they are only counted."""
_SET = re.compile(r"set (flood([46])-\S+) \{")
_LOCAL_TABLE = 255


class Flooded(NftablesBackend):
    """Puts this host's addresses where the kernel would put them for a moment."""

    def commit(self, plan: Plan) -> None:
        """Change the table, then let the floods begin."""
        super().commit(plan)
        flood()


def flood() -> int:
    """Fill all sets of flooded addresses of this host; return how many there are."""
    sets = _SET.findall(_nft("list sets table inet geofence"))
    addresses = {str(family.digit): _addresses(family) for family in Family}
    for name, digit in sets:
        elements = ", ".join(f"{address} timeout 1h" for address in addresses[digit])
        _nft(f"add element inet geofence {name} {{ {elements} }}")
    return len(sets)


def _addresses(family: Family) -> set[str]:
    own = (route.prefix for route in read_local() if route.table == _LOCAL_TABLE)
    return {
        address_text(family, each.network)
        for each in own
        if (each.family, each.length) == (family, family.bits)
    }


def _nft(command: str) -> str:
    done = subprocess.run(
        ["nft", "-f", "-"], input=command, check=True, capture_output=True, text=True
    )
    return done.stdout
