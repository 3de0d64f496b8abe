"""Bodies as publishers write them, made up for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import ip_network

from hypothesis import strategies as st

from geofence.lists.formats import parse_part
from geofence.lists.parsed import ParsedList, joined
from geofence.model.lists import ListId
from geofence.model.prefixes import Family, Prefix

Part = tuple[Family | None, bytes]
"""One body, and the family that it is for; None for both."""


def parse_parts(wanted: ListId, parts: Iterable[Part]) -> ParsedList:
    """All bodies of a list together."""
    return joined(parse_part(wanted, family, body) for family, body in parts)


def country_json(
    code: str, ipv4: list[str], ipv6: list[str] | None = None, *, former_keys: bool = False
) -> bytes:
    """ipverse's JSON, of either generation of keys."""
    code_key, prefixes_key = (
        ("country-code", "subnets") if former_keys else ("countryCode", "prefixes")
    )
    document = {
        "country": "Nowhere",
        code_key: code,
        prefixes_key: {"ipv4": ipv4, "ipv6": ipv6 or []},
    }
    return json.dumps(document, indent=2).encode()


def country_text(code: str, family: Family, prefixes: list[str]) -> bytes:
    """ipverse's text list."""
    head = ["# Country: Nowhere", f"# Address family: IPv{family.digit}", "#"]
    head[0] += f" ({code})"
    return "\n".join([*head, *prefixes, ""]).encode()


@st.composite
def prefixes(draw: st.DrawFn, family: Family) -> Prefix:
    """A prefix of a family; near others, so that they overlap and touch now and then."""
    length = draw(st.integers(0, family.bits))
    low_bits = draw(st.integers(0, 0xFF)) << draw(st.integers(0, family.bits - 8))
    size = 1 << (family.bits - length)
    return Prefix(family, low_bits & -size, length)


def drop_lines(entries: list[str]) -> bytes:
    """JSON lines as Spamhaus publishes them."""
    lines = [json.dumps({"cidr": each, "sblid": "SBL1", "rir": "apnic"}) for each in entries]
    trailer = {
        "type": "metadata",
        "timestamp": 1757054400,
        "size": sum(map(len, lines)),
        "records": len(lines),
        "copyright": "(c) 2025 The Example Project",
        "terms": "https://lists.example/terms",
    }
    return "\n".join([*lines, json.dumps(trailer), ""]).encode()


def dshield(*written: str) -> bytes:
    """Columns as DShield publishes them."""
    rows = []
    for network in map(ip_network, written):
        first, last = network.network_address, network.broadcast_address
        rows.append(f"{first}\t{last}\t{network.prefixlen}\t1234\tEXAMPLE, Inc\tUS\ta@x.example")
    head = ["#", "#   Recommended Block List", "#    updated: 2026-02-01 12:00", "#"]
    titles = "Start\tEnd\tNetmask\tAttacks\tName\tCountry\temail"
    return "\n".join([*head, titles, *rows, ""]).encode()


def asn_json(
    number: int, ipv4: list[str], ipv6: list[str] | None = None, *, former_keys: bool = False
) -> bytes:
    """ipverse's JSON of an AS number, of either generation of keys."""
    about = {"handle": "NOWHERE", "description": "Nowhere"}
    prefixes = {"ipv4": ipv4, "ipv6": ipv6 or []}
    if former_keys:
        document: dict[str, object] = {"asn": number, **about, "subnets": prefixes}
    else:
        document = {"asn": number, "metadata": about, "prefixes": prefixes}
    return json.dumps(document, indent=2).encode()


def asn_text(number: int, prefixes: list[str]) -> bytes:
    """ipverse's text list of an AS number."""
    return "\n".join([f"# AS{number} (NOWHERE)", "# Nowhere", "#", *prefixes, ""]).encode()
