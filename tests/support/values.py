"""Values that tests make: small universes of addresses, policies and lists."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st
from netaddr import IPNetwork

from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy, Ports, Protocol, Service
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet

SIP = Service(
    "sip", (Ports(Protocol.UDP, 5060, 5060), Ports(Protocol.TCP, 5060, 5061)), description="SIP"
)
RTP = Service("rtp", (Ports(Protocol.UDP, 10000, 20000),))


def prefix(text: str) -> Prefix:
    """``192.0.2.0/24`` as a value."""
    network = IPNetwork(text)
    family = Family.IPV4 if network.version == 4 else Family.IPV6
    return Prefix(family, int(network.network), int(network.prefixlen))


def space(*texts: str) -> AddressSpace:
    """The union of prefixes."""
    return AddressSpace.of(prefix(text) for text in texts)


def country(code: str) -> ListId:
    """The name of a country list."""
    return ListId(ListKind.COUNTRY, code)


def policy(**changes: object) -> Policy:
    """A small policy: SIP and RTP for Japan, one local network of each family."""
    given: dict[str, object] = {
        "services": (SIP, RTP),
        "countries": ("JP",),
        "local": space("10.0.0.0/8", "fc00::/7"),
        "interfaces": ("lo",),
    }
    return Policy(**{**given, **changes})  # type: ignore[arg-type]  # a test's shorthand


JAPAN: Mapping[ListId, AddressSpace] = {
    country("JP"): space("192.0.2.0/24", "198.51.100.0/25", "2001:db8:1::/48")
}


def prefixes(family: Family, shortest: int = 0) -> st.SearchStrategy[Prefix]:
    """Prefixes of a family, short ones and neighbours included."""

    def build(length: int, bits: int) -> Prefix:
        network = bits >> (family.bits - length) << (family.bits - length)
        return Prefix(family, network, length)

    crowded = st.integers(0, 1 << 10) | st.integers(0, (1 << family.bits) - 1)
    return st.builds(build, st.integers(shortest, family.bits), crowded)


def prefix_sets(family: Family) -> st.SearchStrategy[PrefixSet]:
    """Sets of a few prefixes, the empty one and the full one included."""
    return st.lists(prefixes(family), max_size=8).map(lambda found: PrefixSet.of(family, found))


families = st.sampled_from(list(Family))


def full_width(text: str) -> str:
    """ASCII as Japanese input methods give it."""
    return "".join(chr(ord(char) + 0xFEE0) for char in text)
