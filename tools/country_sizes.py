"""Renewal of the sizes in the table of countries, from a tree of ipverse's lists.

``python -m tools.country_sizes DIRECTORY DATE``, where the directory holds ``jp/aggregated.json``
and so on (the ``country`` directory of https://github.com/ipverse/country-ip-blocks), and DATE is
the day of the lists. Names and other words stay as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from geofence.geoip.countries import DATA, SITE
from geofence.lists.country_json import parse_country_json
from geofence.model.prefixes import AddressSpace


def rounded(number: int) -> int:
    """Return the number to two significant digits, which is all that a guard needs."""
    unit = int(f"1{'0' * (len(str(number)) - 2)}")
    return (number + unit // 2) // unit * unit


def sizes(directory: Path) -> dict[str, AddressSpace]:
    """Return the addresses of each country that has a list in the directory, by code.

    Raises:
        ListError: a list is not that of the country in whose directory it is.
    """
    paths = sorted(directory.glob("*/aggregated.json"))
    codes = {path.parent.name.upper(): path for path in paths}
    return {code: parse_country_json(path.read_bytes(), code).space for code, path in codes.items()}


def renewed(table: str, spaces: Mapping[str, AddressSpace], date: str) -> Iterator[str]:
    """Yield the lines of the table with new sizes; a country without a list has ``-``."""
    for line in table.splitlines():
        if line.startswith("# sizes: "):
            yield f"# sizes: ipverse country-ip-blocks, {date}"
        elif line.startswith("#"):
            yield line
        else:
            code, code3, _, _, *rest = line.split("\t")
            yield "\t".join((code, code3, *_columns(spaces.get(code)), *rest))


def _columns(space: AddressSpace | None) -> tuple[str, str]:
    """Return the number of IPv4 addresses, and IPv6 in /48 networks."""
    if space is None:
        return "-", "-"
    return str(rounded(space.ipv4.size)), str(rounded(space.ipv6.size // SITE))


def main(directory: Path, date: str, table: Path = DATA) -> None:
    """Write the table anew."""
    lines = renewed(table.read_text(encoding="utf-8"), sizes(directory), date)
    table.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
