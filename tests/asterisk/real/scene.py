"""An office behind NAT: Asterisk on its own host, a router, and everybody else on the Internet."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from geofence.lab.host import Host
from geofence.lab.wiring import connect, loopback_up, plug, route_default
from tests.asterisk.real.asterisk import Asterisk
from tests.cli.machine import Machine
from tests.cli.world import japan
from tests.sipstack.addresses import Endpoint
from tests.sipstack.messages import request
from tests.sipstack.peers import Server, registrar, udp_socket, until
from tests.sipstack.stacks import Agent
from tests.support.list_server import ListServer
from tests.support.name_server import NameServer, asking
from tests.support.probes import give_addresses

OFFICE = Path(__file__).parent / "office"
"""The configuration of its Asterisk."""
PUBLIC, PRIVATE = "198.51.100.10", "192.168.7.2"
"""Addresses of the router on the Internet, and of the PBX behind it."""
PASSWORD = "a;secret"  # noqa: S105 - of the phones in ``office``

PHONE, OTHER_PHONE = "133.1.2.3", "133.1.2.4"
"""In the allowed country."""
STRANGER = "45.99.1.1"
NORTH, SOUTH = "45.9.20.5", "45.9.30.5"
"""Abroad: the trunk that is configured by its name, and one of those by their addresses."""
PUSH = "35.185.177.49"
"""Abroad: a push server, by its name."""
NAMES = {"sip.north.example": [NORTH], "push-as.softphone.com": [PUSH]}

_ROUTER = """\
table ip router {
    chain in {
        type nat hook prerouting priority dstnat;
        iifname "wan" udp dport { 5060, 10000-10101 } dnat to 192.168.7.2
        iifname "wan" tcp dport { 5061, 8089 } dnat to 192.168.7.2
    }
    chain out {
        type nat hook postrouting priority srcnat;
        oifname "wan" masquerade
    }
}
"""
_RULES = """\
[source.country]
urls = ["http://127.0.0.1:{port}/{{cc}}.json"]
"""
_QUIET = 1.0
"""Seconds for an answer that must not come; one that is sent comes in milliseconds."""
_TALK = 15
"""RTP packets more that show that a call goes on; 50 are sent a second."""


@dataclass
class Scene:
    """All of it; nothing is fenced until a test says so."""

    internet: Host
    asterisk: Asterisk
    geofence: Machine
    names: NameServer
    north: Server
    """Where the trunk takes registrations."""
    closing: ExitStack

    def agent(self, address: str, port: int = 5060) -> Agent:
        """A SIP endpoint on the Internet, until the scene ends."""
        made = Agent(self.internet, address, port, rtp=30_000)
        return self.closing.enter_context(made)

    def phone(self, address: str, user: str) -> Agent:
        """A phone that registers; whether it is registered is another question."""
        made = self.agent(address, 5062)
        made.do("register", PUBLIC, user, PASSWORD)
        return made

    def answers(self, address: str, method: str = "OPTIONS") -> bool:
        """Whether the PBX answers a request from an address, over UDP."""
        with udp_socket(self.internet, address, 5099) as asking_it:
            asking_it.settimeout(_QUIET)
            asking_it.sendto(request(method, Endpoint(address, 5099)), (PUBLIC, 5060))
            with suppress(TimeoutError):
                return bool(asking_it.recv(65_535))
        return False

    def answers_tls(self, address: str, port: int, request_line: bytes) -> bytes:
        """Return what the PBX answers over TLS; nothing if it does not take the connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self.internet.socket(socket.AF_INET, socket.SOCK_STREAM) as plain:
            plain.bind((address, 0))
            plain.settimeout(_QUIET)
            with suppress(TimeoutError):
                plain.connect((PUBLIC, port))
                with context.wrap_socket(plain) as secure:
                    secure.sendall(request_line)
                    return secure.recv(65_535)
        return b""

    def registered(self) -> str:
        """Return the state of the registration at the trunk."""
        return self.asterisk.rx("pjsip show registrations")


def is_registered(agent: Agent) -> bool:
    """Whether an agent's last registration was taken."""
    answered: list[int] = agent.do("registered")
    return answered[-1:] == [200]


def is_talking(*sides: Agent) -> bool:
    """Whether each side of a call sends and receives media: both more, in a while."""
    before = [_media(side) for side in sides]
    until(lambda: all(_more(side, was) for side, was in zip(sides, before, strict=True)))
    return True


def call(caller: Agent, callee: Agent | None, number: str, as_phone: bool = False) -> None:
    """Call a number at the PBX and wait until the call is up, at both ends."""
    for side in filter(None, (caller, callee)):
        side.do("hangup")
    caller.do("call", f"sip:{number}@{PUBLIC}", *((PUBLIC,) if as_phone else ()))
    for side in filter(None, (caller, callee)):
        until(lambda side=side: bool(side.do("states")[-1:] == ["CONFIRMED"] and side.do("media")))


def _media(side: Agent) -> dict[str, int]:
    counted: list[dict[str, int]] = side.do("media")
    return counted[-1]


def _more(side: Agent, was: dict[str, int]) -> bool:
    now = _media(side)
    return all(now[way] >= was[way] + _TALK for way in ("sent", "received"))


@contextmanager
def scene(directory: Path, backend: str) -> Iterator[Scene]:
    """Build it, with Asterisk running and no fence."""
    with ExitStack() as closing:
        internet, router, pbx = (
            closing.enter_context(Host(n)) for n in ("internet", "router", "pbx")
        )
        _wire(internet, router, pbx)
        server = ListServer()
        with pbx.entered():
            closing.enter_context(server)
        machine = Machine(pbx, server, directory, backend)
        machine.rule("50-test.toml", _RULES.format(port=server.port))
        machine.serve("JP", japan())
        names = closing.enter_context(asking(machine))
        names.addresses.update(NAMES)
        north = closing.enter_context(registrar(_Internet(internet), NORTH))
        (own := directory / "asterisk").mkdir()
        asterisk = closing.enter_context(Asterisk(pbx, OFFICE, own))
        yield Scene(internet, asterisk, machine, names, north, closing)


@dataclass
class _Internet:
    internet: Host


def _wire(internet: Host, router: Host, pbx: Host) -> None:
    for host in (internet, router, pbx):
        loopback_up(host)
        for name in ("all", "default"):
            host.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
    router.sysctl("net/ipv4/ip_forward", 1)
    connect(
        plug(internet, "wan", "02:00:00:00:00:01", "198.51.100.1/24"),
        plug(router, "wan", "02:00:00:00:00:02", f"{PUBLIC}/24"),
    )
    connect(
        plug(router, "lan", "02:00:00:00:00:03", "192.168.7.1/24"),
        plug(pbx, "lan", "02:00:00:00:00:04", f"{PRIVATE}/24"),
    )
    route_default(router, (ip_address("198.51.100.1"),))
    route_default(pbx, (ip_address("192.168.7.1"),))
    router.run("nft", "-f", "-", stdin=_ROUTER)
    everybody = (PHONE, OTHER_PHONE, STRANGER, NORTH, SOUTH, PUSH)
    give_addresses(internet, *map(ip_address, everybody))
