"""Made-up country lists that are as large as those countries are, and who is in them.

The guards hold a first list against the country's known size, so a list of three documentation
prefixes would rightly be refused.
"""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

from tests.lists.bodies import country_json

JAPAN_IPV4 = tuple(
    f"{octet}.0.0.0/8" for octet in (59, 61, 101, 103, 111, 113, 115, 119, 121, 125, 133)
)
JAPAN_IPV6 = ("2400:4000::/19",)
JAPANESE = ("133.1.2.3", "2400:4000::5")
FOREIGN = ("45.9.1.1", "2a00:1450::7")
LANS = ("192.168.7.0/24", "fd00:99::/64")
"""Networks of a machine that has joined a LAN."""

_WENT = "61.255.0.0/16"
GONE = "61.255.1.1"
"""In Japan's list before it changed, not after."""
_CAME = "203.180.0.0/16"
COME = "203.180.0.1"
"""In Japan's list after it changed, not before."""

SMALL = {
    "AD": (("85.94.160.0/19", "91.187.64.0/19", "194.158.64.0/19"), "2a02:8060::/29"),
    "AX": (("79.133.0.0/20",), "2a00:f320::/29"),
    "BL": (("185.1.2.0/23",), "2a0f:1000::/36"),
    "FK": (("80.73.208.0/20",), "2a00:1fc0::/32"),
    "FO": (("80.77.128.0/19", "212.55.32.0/19"), "2a04:3080::/28"),
    "GL": (("88.83.0.0/19", "46.16.16.0/20"), "2a00:1530::/29"),
    "IO": (("202.44.112.0/21",), "2400:1100::/32"),
    "MC": (("80.94.96.0/19", "88.209.64.0/18", "82.113.0.0/19"), "2a03:ac40::/27"),
    "NU": (("49.156.48.0/22",), "2403:cc00::/32"),
    "SM": (("89.186.32.0/19", "194.183.64.0/19"), "2a03:da80::/26"),
    "TK": (("27.96.24.0/21",), "2407:8f00::/32"),
    "TV": (("202.2.96.0/19",), "2403:7400::/31"),
    "VA": (("212.77.0.0/19",), "2a01:b0::/28"),
}
"""Small countries: IPv4 prefixes and the IPv6 prefix."""


def japan() -> bytes:
    """Japan's list."""
    return country_json("JP", list(JAPAN_IPV4), list(JAPAN_IPV6))


def japan_later() -> bytes:
    """The same with one network gone and another one come: 0.04 % each."""
    before, gone = IPv4Network("61.0.0.0/8"), IPv4Network(_WENT)
    left = sorted(before.address_exclude(gone))
    kept = [prefix for prefix in JAPAN_IPV4 if ip_network(prefix) != before]
    return country_json("JP", [*kept, *map(str, left), _CAME], list(JAPAN_IPV6))


def small(code: str) -> bytes:
    """A small country's list."""
    ipv4, ipv6 = SMALL[code]
    return country_json(code, list(ipv4), [ipv6])
