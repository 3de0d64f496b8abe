"""Puts up the fence of a checkout, in the network namespace it is run in: JP, and what ships.

It imports nothing but that checkout's geofence, so that versions can be measured side by side:

    python fence.py CHECKOUT BACKEND LIST [RULES]
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(checkout: str, backend: str, listed: str, *rules: str) -> None:
    """Commit it once, on a host that has none.

    Args:
        checkout: whose geofence it is.
        backend: as the registry names it.
        listed: a text file of IPv4 prefixes.
        rules: directories of more rules.
    """
    sys.path.insert(0, checkout)
    from geofence.apply import plan_for
    from geofence.backends import registry
    from geofence.lists.text import parse_text
    from geofence.merge import merge
    from geofence.model.lists import ListId, ListKind
    from geofence.model.prefixes import Family
    from geofence.operations.site import shipped_rules
    from geofence.policy import load_policy

    space = parse_text(Path(listed).read_bytes(), Family.IPV4).space
    policy = load_policy((shipped_rules(), *map(Path, rules)))
    ruleset = merge(policy, {ListId(ListKind.COUNTRY, "JP"): space})
    holder = registry.load(backend)
    holder.commit(plan_for(holder, ruleset))


if __name__ == "__main__":
    main(*sys.argv[1:])
