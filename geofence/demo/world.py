"""The made-up senders, destinations and lists of the demo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from geofence.lab import payloads
from geofence.lab.network import PBX
from geofence.lab.packets import Address
from geofence.lab.payloads import Payload
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.translation import tr

_PHONE_PORT = 5062


@dataclass(frozen=True, slots=True)
class Person:
    """A sender of packets to the PBX."""

    key: str
    ipv4: str
    ipv6: str
    link: str = "wan"
    """The interface of the PBX that they come in by."""

    @property
    def name(self) -> str:
        """The name in tables."""
        names = {
            "japan": tr("phone in Japan"),
            "newcomer": tr("phone, new network"),
            "push": tr("push server abroad"),
            "abroad": tr("attacker abroad"),
            "lan": tr("phone in the LAN"),
        }
        return names[self.key]

    def address(self, family: Family) -> Address:
        """Return where they send from."""
        return ip_address(self.ipv4 if family is Family.IPV4 else self.ipv6)


JAPAN = Person("japan", "133.5.113.7", "2400:4000::7")
NEWCOMER = Person("newcomer", "133.16.20.9", "2400:4100::9")
PUSH = Person("push", "35.185.177.49", "2001:db8:35::49")
ABROAD = Person("abroad", "203.0.113.66", "2001:db8:bad::66")
LAN = Person("lan", "10.8.0.20", "fd00:8::20", link="tun0")

PEOPLE = (JAPAN, NEWCOMER, PUSH, ABROAD, LAN)


@dataclass(frozen=True, slots=True)
class Destination:
    """Something on the PBX that a packet can be for."""

    name: str
    transport: Transport
    port: int = 0
    payload: Payload = payloads.plain

    def probe(self, person: Person, family: Family) -> Probe:
        """Return a packet of the person's to it."""
        source, pbx = person.address(family), PBX[family]
        return Probe(source, pbx, self.transport, self.port, payload=self.payload, link=person.link)

    def flow(self, person: Person, family: Family) -> Probe:
        """Return a packet of one that sends many, always from the same port."""
        return replace(self.probe(person, family), source_port=_PHONE_PORT)


SIP = Destination("SIP", Transport.UDP, 5060, payloads.sip_options)
TLS = Destination("SIP/TLS", Transport.TCP, 5061)
RTP = Destination("RTP", Transport.UDP, 10_000, payloads.rtp)
SSH = Destination("SSH", Transport.TCP, 22)
PING = Destination("ping", Transport.ICMP)

DESTINATIONS = (SIP, TLS, RTP, SSH, PING)


def country_list(*, changed: bool) -> str:
    """Return the body of Japan's made-up list: as large as the real one, as ipverse writes it.

    Args:
        changed: the later version, in which one network has come and one has gone.
    """
    gone, come = (7, 16) if changed else (16, 7)
    ipv4 = [prefix for prefix in _ipv4() if prefix != f"133.{gone}.0.0/16"]
    ipv6 = list(_ipv6())
    if changed:
        ipv4.append(f"133.{come}.0.0/16")
        ipv6.append("2400:4100::/24")
    document = {"country": "Japan", "countryCode": "JP", "prefixes": {"ipv4": ipv4, "ipv6": ipv6}}
    return json.dumps(document)


def _ipv4() -> Iterator[str]:
    """Yield 2,880 networks of Japan's size, with gaps between them."""
    for first in (43, 59, 60, 61, 110, 111, 126, 133, 150, 153, 210, 219):
        for second in range(256):
            if second % 16:
                yield f"{first}.{second}.0.0/16"


def _ipv6() -> Iterator[str]:
    """Yield 40 networks of Japan's size, with gaps between them."""
    for number in range(0, 80, 2):
        yield str(ip_network(f"2400:{number:02x}00::/24"))


def rules(port: int) -> str:
    """Return what the demo's operator adds to the rules that ship.

    Args:
        port: of the list server on loopback.
    """
    return f"""\
[source.country]
urls = ["http://127.0.0.1:{port}/country/{{cc}}/aggregated.json"]

[allow]
countries = ["JP"]

# No name server here: the addresses stand in for the host name.
[exception.push-as]
hosts = []
prefixes = ["{PUSH.ipv4}/32", "{PUSH.ipv6}/128"]
"""
