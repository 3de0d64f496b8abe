"""A PBX under attack: the network, the SIP stack, the command that fences it, and who looks on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from geofence.lab.network import Lab
from tests.cli.machine import Done, Machine
from tests.cli.world import japan
from tests.sipstack.messages import request
from tests.sipstack.peers import PHONE, STRANGER, TRUNK, Caller, Peer, own_all, until
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
    pbx: Pbx
    geofence: Machine
    ear: Ear
    tap: Tap
    closing: ExitStack
    """Closes what a test adds."""

    def peer(self, address: str, port: int = 5060) -> Peer:
        """Somebody with a UDP socket, until the test ends."""
        return self.closing.enter_context(Peer(self.lab, address, port))

    def caller(self, address: str) -> Caller:
        """Somebody with a TCP connection, until the test ends."""
        return self.closing.enter_context(Caller(self.lab, address))

    def fence(self) -> Done:
        """Fetch and apply for the first time, whoever talks."""
        return self.geofence.ok("refresh", "--accept", "live-sources")

    def track(self) -> None:
        """Let the host have a firewall of its own, which makes conntrack look at everything."""
        self.lab.pbx.run("nft", "-f", "-", stdin=HOST_FIREWALL)

    def await_try(self, address: str, do: Callable[[], object] = lambda: None) -> None:
        """Do something, then wait until the PBX has tried to send to a watched address."""
        before = self.tap.tried(address)
        do()
        until(lambda: self.tap.tried(address) > before)

    def got(self, stranger: Peer | Caller) -> Got:
        """Let a stranger listen, talk as hard as he can, and listen again."""
        return self.all_got(stranger)[0]

    def all_got(self, *strangers: Peer | Caller) -> list[Got]:
        """Let strangers listen, talk as hard as they can, and listen again."""
        before = _answers(strangers)
        self.ear.heard()
        for stranger in strangers:
            for method in ("OPTIONS", "INVITE", "OPTIONS"):
                stranger.send(request(method, stranger.name, user="486", by=stranger.transport))
        delivered = self.ear.heard()
        heard = [
            sum(f"{packet.source}:{packet.source_port}" == stranger.name for packet in delivered)
            for stranger in strangers
        ]
        after = _answers(strangers)
        return [Got(x + z, y) for x, y, z in zip(before, heard, after, strict=True)]

    def works_for(self, peer: Peer | Caller) -> bool:
        """Whether somebody gets an answer to OPTIONS."""
        peer.send(request("OPTIONS", peer.name, by=peer.transport))
        return b"200 OK" in peer.await_answer()


def _answers(strangers: Sequence[Peer | Caller]) -> list[int]:
    """Return how many packets came to each; what comes to one while it is quiet for another too."""
    first, *others = strangers
    return [len(first.answers()), *(len(other.answers(quiet=0.001)) for other in others)]


@contextmanager
def site(lab: Lab, pbx: Pbx, backend: str, directory: Path) -> Iterator[Site]:
    """Put everything in its place on a lab whose PBX runs already."""
    with ExitStack() as closing:
        own_all(lab)
        server = ListServer()
        with lab.pbx.entered():
            closing.enter_context(server)
        machine = Machine(lab.pbx, server, directory, backend)
        machine.serve("JP", japan())
        ear = closing.enter_context(Ear(lab.pbx))
        tap = Tap(lab.pbx, STRANGER, TRUNK, PHONE)
        yield Site(lab, pbx, machine, ear, tap, closing)
