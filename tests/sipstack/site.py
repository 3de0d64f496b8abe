"""A PBX under attack: the network, the SIP stack, the command that fences it, and who looks on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from geofence.lab.network import PBX, Lab
from geofence.model.prefixes import Family
from tests.cli.machine import Done, Machine
from tests.cli.world import japan
from tests.sipstack.addresses import PHONE, STRANGER, TRUNK, Role, sip_host
from tests.sipstack.messages import request
from tests.sipstack.peers import Caller, Peer, Server, own_all, registrar, until
from tests.sipstack.stacks import Pbx
from tests.sipstack.watch import Ear, Tap
from tests.support.list_server import ListServer

HOST_FIREWALL = """\
table inet host {
    chain input {
        type filter hook input priority 0;
        ct state invalid,established,related,new accept
    }
}
"""
"""A firewall of the host's own, because of which conntrack knows flows without any fence."""

IPTABLES = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}


@dataclass(frozen=True, slots=True)
class Got:
    """What a stranger has of his attack."""

    answers: int = 0
    """Packets that the PBX sent him."""
    delivered: int = 0
    """Packets of his that reached the PBX's sockets."""


NOTHING = Got()


@dataclass(frozen=True, slots=True)
class Site:
    """All of it; nothing is fenced until a test says so."""

    lab: Lab
    family: Family
    """What everybody speaks."""
    pbx: Pbx
    geofence: Machine
    ear: Ear
    tap: Tap
    closing: ExitStack
    """Closes what a test adds."""

    def address(self, role: Role) -> str:
        """Return somebody's address."""
        return role[self.family]

    @property
    def host(self) -> str:
        """The PBX's address, as SIP writes it."""
        return sip_host(str(PBX[self.family]))

    def peer(self, role: Role, port: int = 5060) -> Peer:
        """Somebody with a UDP socket, until the test ends."""
        return self.closing.enter_context(Peer(self.lab, self.address(role), port))

    def caller(self, role: Role) -> Caller:
        """Somebody with a TCP connection, until the test ends."""
        return self.closing.enter_context(Caller(self.lab, self.address(role)))

    def registrar(self, role: Role) -> Server:
        """Somebody who takes every registration, until the test ends."""
        return self.closing.enter_context(registrar(self.lab, self.address(role)))

    def is_reached_by(self, server: Server, method: str = "OPTIONS") -> bool:
        """Whether the far end's request is delivered to the PBX."""
        self.ear.heard()
        server.send(request(method, server.endpoint, user="486"))
        self.lab.settle()
        return self.has_heard(server)

    def has_heard(self, server: Server) -> bool:
        """Whether anything from a far end was delivered since the last look."""
        return any(packet.source == server.endpoint for packet in self.ear.heard())

    def fence(self) -> Done:
        """Fetch and apply for the first time, whoever talks."""
        return self.geofence.ok("refresh", "--accept", "live-sources")

    def track(self) -> None:
        """Let the host have a firewall of its own, which makes conntrack look at everything."""
        self.lab.pbx.run("nft", "-f", "-", stdin=HOST_FIREWALL)

    def await_try(self, role: Role, do: Callable[[], object] = lambda: None) -> None:
        """Do something, then wait until the PBX has tried to send to somebody who is watched."""
        address = self.address(role)
        before = self.tap.tried(address)
        do()
        until(lambda: self.tap.tried(address) > before)

    def got(self, stranger: Peer | Caller, least: int = 0) -> Got:
        """Let a stranger listen, talk as hard as he can, and listen again.

        Args:
            stranger: somebody.
            least: answers that have to come to what he says.
        """
        return self.all_got(stranger, least=least)[0]

    def all_got(self, *strangers: Peer | Caller, least: int = 0) -> list[Got]:
        """Let strangers listen, talk as hard as they can, and listen again."""
        before = _answers(strangers)
        self.ear.heard()
        for stranger in strangers:
            for method in ("OPTIONS", "INVITE", "OPTIONS"):
                stranger.send(request(method, stranger.endpoint, user="486", by=stranger.transport))
        delivered = Counter(packet.source for packet in self.ear.heard())
        heard = [delivered[stranger.endpoint] for stranger in strangers]
        after = _answers(strangers, least)
        return [Got(x + z, y) for x, y, z in zip(before, heard, after, strict=True)]

    def works_for(self, peer: Peer | Caller, method: str = "OPTIONS") -> bool:
        """Whether somebody gets 200 to a request."""
        peer.send(request(method, peer.endpoint, by=peer.transport))
        return b"200 OK" in peer.await_answer()


def _answers(strangers: Sequence[Peer | Caller], least: int = 0) -> list[int]:
    """Return how many packets came to each; what comes to one while it is quiet for another too."""
    first, *others = strangers
    return [len(first.answers(least=least)), *(len(other.answers(quiet=0.001)) for other in others)]


@contextmanager
def site(lab: Lab, family: Family, pbx: Pbx, backend: str, directory: Path) -> Iterator[Site]:
    """Put everything in its place on a lab whose PBX runs already."""
    with ExitStack() as closing:
        own_all(lab)
        server = ListServer()
        with lab.pbx.entered():
            closing.enter_context(server)
        machine = Machine(lab.pbx, server, directory, backend)
        machine.serve("JP", japan())
        ear = closing.enter_context(Ear(lab.pbx, family))
        tap = Tap(lab.pbx, *(role[family] for role in (STRANGER, TRUNK, PHONE)))
        yield Site(lab, family, pbx, machine, ear, tap, closing)
