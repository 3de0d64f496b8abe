"""An office behind NAT: Asterisk on its own host, a router, and everybody else on the Internet."""

from __future__ import annotations

import re
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
from tests.sipstack.peers import PATIENCE, Server, registrar, udp_socket, until
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
EAST = "45.9.40.5"
"""Abroad: a trunk that is not configured yet."""
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

[exception.push-as]
enabled = true
"""
"""All that the operator wrote: where the lists come from, and whose push server calls."""
_TALK = 15
"""RTP packets more that show that a call goes on; 50 are sent a second."""


@dataclass
class Scene:
    """All of it; nothing is fenced until a test says so."""

    internet: Host
    pbx: Host
    asterisk: Asterisk
    geofence: Machine
    names: NameServer
    north: Server
    """Where the trunk takes registrations."""
    closing: ExitStack
    """Closes what a test adds."""

    def agent(self, address: str, port: int = 5060) -> Agent:
        """A SIP endpoint on the Internet, for one call; it ends the call in the end."""
        made = self.closing.enter_context(Agent(self.internet, address, port, rtp=30_000))
        self.closing.callback(hang_up, made)
        return made

    def phone(self, address: str, user: str) -> Agent:
        """A phone that asks to be registered."""
        made = self.agent(address, 5062)
        made.do("register", PUBLIC, user, PASSWORD)
        return made

    def answer(self, address: str, method: str, seconds: float = PATIENCE) -> bytes:
        """Return what the PBX answers to a request over UDP; nothing if it is silent so long."""
        with udp_socket(self.internet, address, 5099) as asked:
            asked.settimeout(seconds)
            asked.sendto(request(method, Endpoint(address, 5099)), (PUBLIC, 5060))
            with suppress(TimeoutError):
                return asked.recv(65_535)
        return b""

    def answer_tls(self, address: str, port: int, what: bytes, seconds: float = PATIENCE) -> bytes:
        """Return what the PBX answers over TLS; nothing if it is silent so long."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self.internet.socket(socket.AF_INET, socket.SOCK_STREAM) as plain:
            plain.bind((address, 0))
            plain.settimeout(seconds)
            with suppress(TimeoutError):
                plain.connect((PUBLIC, port))
                with context.wrap_socket(plain) as secure:
                    secure.sendall(what)
                    return secure.recv(65_535)
        return b""

    def is_registered_at_north(self) -> bool:
        """Whether the trunk has taken a registration, which is made anew."""
        before = len(self.north.asked)
        self.asterisk.rx("pjsip send register north")
        until(lambda: len(self.north.asked) > before)
        state = re.compile(r"^ north/\S+ +n/a +Registered ", re.MULTILINE)
        until(lambda: bool(state.search(self.asterisk.rx("pjsip show registrations"))))
        return True


def is_registered(agent: Agent) -> bool:
    """Whether an agent's last registration was taken."""
    answered: list[int] = agent.do("registered")
    return answered[-1:] == [200]


def is_talking(*sides: Agent) -> bool:
    """Whether each side of a call sends and receives media: both more, in a while."""
    before = [_media(side) for side in sides]
    until(lambda: all(_more(side, was) for side, was in zip(sides, before, strict=True)))
    return True


def call(caller: Agent, callee: Agent | None, number: str, *, registered: bool = False) -> None:
    """Call a number at the PBX, and wait until the call is up at both ends.

    Args:
        caller: calls, as who it is registered if it is.
        callee: gets the call; None where Asterisk itself takes it.
        number: what is called.
        registered: whether the caller is registered.
    """
    sides = [side for side in (caller, callee) if side]
    caller.do("call", f"sip:{number}@{PUBLIC}", *((PUBLIC,) if registered else ()))
    until(lambda: all(map(_is_in_a_call, sides)))


def hang_up(side: Agent) -> None:
    """End all calls of an endpoint, and wait until they are ended."""
    side.do("hangup")
    until(lambda: bool(set(side.do("states")) <= {"DISCONNECTED"}))


def _is_in_a_call(side: Agent) -> bool:
    return bool(side.do("states")[-1:] == ["CONFIRMED"] and side.do("media"))


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
        yield Scene(internet, pbx, asterisk, machine, names, north, closing)


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
    everybody = (PHONE, OTHER_PHONE, STRANGER, NORTH, SOUTH, EAST, PUSH)
    give_addresses(internet, *map(ip_address, everybody))
