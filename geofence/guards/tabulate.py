"""Make the table of ``country_sizes`` anew from a tree of ipverse's lists.

``python -m geofence.guards.tabulate DIRECTORY``, where the directory holds ``jp/aggregated.json``
and so on, prints the lines of the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from geofence.guards.country_sizes import SITE
from geofence.lists.country_json import parse_country_json
from geofence.model.prefixes import AddressSpace


def rounded(number: int) -> int:
    """The number to two significant digits, which is all that a guard needs."""
    unit = int(f"1{'0' * (len(str(number)) - 2)}")
    return (number + unit // 2) // unit * unit


def table_line(code: str, space: AddressSpace) -> str:
    """``JP 190000000 670000000``: IPv4 addresses, and IPv6 in /48s."""
    return f"{code} {rounded(space.ipv4.size)} {rounded(space.ipv6.size // SITE)}"


def table_lines(directory: Path) -> Iterator[str]:
    """A line for each country that has a list in the directory, by code."""
    for path in sorted(directory.glob("*/aggregated.json")):
        code = path.parent.name.upper()
        yield table_line(code, parse_country_json(path.read_bytes(), code).space)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in table_lines(Path(sys.argv[1])))
