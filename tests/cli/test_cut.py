"""``--cut``, and what is let in again after it, in packets between a PBX and its phones."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address

import pytest

from geofence.flows.conntrack import cut, read_flows
from geofence.lab.host import Host
from geofence.lab.wiring import connect, plug, route_default
from geofence.model.notes import NoteKind
from geofence.model.plan import Observed
from geofence.operations.live_flows import look_at
from geofence.state.generations import GenerationStore
from tests.cli.facts import fact, kinds
from tests.cli.machine import Done, Machine
from tests.support.probes import give_addresses

PBX = "198.51.100.10"
PHONE = "133.1.2.3"
STRANGERS = ("45.9.9.9", "45.9.9.10", "45.9.9.11")
ON_THE_VPN = "100.64.1.1"
_SECONDS = 0.3
"""How long a packet of another namespace may take."""
ENDED = {NoteKind.CONNECTIONS_DROPPED, NoteKind.CONNECTIONS_UNBLOCKED}


def dropped(done: Done) -> object:
    """Return the number of connections that a run dropped."""
    return fact(done, NoteKind.CONNECTIONS_DROPPED)[1]["number"]


def unblocked(done: Done) -> object:
    """Return the number of dropped connections that a run unblocked."""
    return fact(done, NoteKind.CONNECTIONS_UNBLOCKED)[1]["number"]


class Talk:
    """A PBX on the machine, and phones that talk to it over a cable."""

    def __init__(self, peer: Host, closing: ExitStack, pbx: socket.socket) -> None:
        """Take what is at the ends of the cable."""
        self._peer = peer
        self._closing = closing
        self._pbx = pbx
        self._phones: dict[str, socket.socket] = {}

    def reaches(self, *sources: str) -> list[bool]:
        """Whether the PBX hears what each sends; it answers, and goes on sending, all the same."""
        return [self._asks(source) for source in sources]

    def calls(self, destination: str) -> None:
        """The PBX sends first."""
        phone = self._phone(destination)
        self._pbx.sendto(b"OPTIONS sip:phone", (destination, 5060))
        phone.recvfrom(100)

    def answers(self, destination: str) -> None:
        """Whoever the PBX has called answers."""
        self._phone(destination).sendto(b"SIP/2.0 200 OK", (PBX, 5060))
        self._pbx.recvfrom(100)

    def _asks(self, source: str) -> bool:
        self._phone(source).sendto(b"REGISTER", (PBX, 5060))
        try:
            heard: bool = self._pbx.recvfrom(100)[1] == (source, 5060)
        except TimeoutError:
            heard = False
        self._pbx.sendto(b"OPTIONS", (source, 5060))
        return heard

    def _phone(self, source: str) -> socket.socket:
        if source not in self._phones:
            give_addresses(self._peer, ip_address(source))
            self._phones[source] = self._closing.enter_context(bound(self._peer, source))
        return self._phones[source]


def bound(host: Host, address: str) -> socket.socket:
    made = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, 5060))
    made.settimeout(_SECONDS)
    return made


@contextmanager
def talking(machine: Machine) -> Iterator[Talk]:
    """The cable; the machine tracks flows before it has a fence, as a host with a firewall does."""
    with ExitStack() as closing:
        peer = closing.enter_context(Host("peer"))
        connect(
            plug(machine.host, "wan", "02:00:00:00:00:01", f"{PBX}/24"),
            plug(peer, "wan", "02:00:00:00:00:02", "198.51.100.1/24"),
        )
        route_default(machine.host, (ip_address("198.51.100.1"),))
        machine.tool("nft", "add table inet host")
        machine.tool("nft", "add chain inet host input { type filter hook input priority 0; }")
        machine.tool("nft", "add rule inet host input ct state new accept")
        yield Talk(peer, closing, closing.enter_context(bound(machine.host, PBX)))


@pytest.fixture
def talk(one: Machine) -> Iterator[Talk]:
    with talking(one) as made:
        yield made


def test_a_cut_spares_peers_behind_a_trusted_interface(one: Machine, talk: Talk) -> None:
    one.rule("60.toml", '[local]\ninterfaces = ["lo", "wa*"]\n')
    assert talk.reaches(ON_THE_VPN) == [True]
    assert one.ok("plan", "--json").json["live"]["denied"] == []
    assert not {*kinds(one.ok("refresh", "--cut", "--json"))} & ENDED
    assert talk.reaches(ON_THE_VPN, ON_THE_VPN) == [True, True]


def test_dropped_peers_are_unblocked_when_their_interface_becomes_trusted(
    one: Machine, talk: Talk
) -> None:
    assert talk.reaches(ON_THE_VPN) == [True]
    assert dropped(one.ok("refresh", "--cut", "--json")) == 1
    assert talk.reaches(ON_THE_VPN) == [False]
    one.rule("60.toml", '[local]\ninterfaces = ["lo", "wa*"]\n')
    assert unblocked(one.ok("apply", "--json")) == 1
    assert talk.reaches(ON_THE_VPN) == [True]


@pytest.mark.parametrize("verb", ["refresh", "apply"])
def test_strangers_left_by_an_earlier_run_are_dropped(one: Machine, talk: Talk, verb: str) -> None:
    assert talk.reaches(PHONE, *STRANGERS) == [True] * 4
    one.ok("refresh")
    began_before = [True, False, False, False]
    assert talk.reaches(PHONE, *STRANGERS) == began_before, "nobody admitted them"
    done = one.ok(verb, "--cut", "--json")
    assert not done.json["changed"]
    assert dropped(done) == 3
    assert talk.reaches(PHONE, *STRANGERS) == [True, False, False, False]
    assert not {*kinds(one.ok(verb, "--cut", "--json"))} & ENDED


def test_with_another_change_they_are_cut_as_well(one: Machine, talk: Talk) -> None:
    assert talk.reaches(PHONE, *STRANGERS) == [True] * 4
    one.ok("refresh")
    assert talk.reaches(*STRANGERS) == [False] * 3
    one.rule("60.toml", '[blocklist.mine]\nprefixes = ["133.1.2.3/32"]\n')
    assert dropped(one.ok("apply", "--cut", "--json")) == 4
    assert talk.reaches(PHONE, *STRANGERS) == [False] * 4


def test_a_connection_that_begins_until_the_commit_is_dropped(one: Machine, talk: Talk) -> None:
    one.ok("refresh")
    newest, _ = GenerationStore(one.state).newest()
    one.ok("remove")
    assert newest
    with one.host.entered():
        change = look_at(None, Observed(), newest.ruleset, cutting=True)
    assert talk.reaches(STRANGERS[0]) == [True], "the commit comes after this"
    with one.host.entered():
        [note] = change.cut()
    assert (note.kind, note.data["number"]) == (NoteKind.CONNECTIONS_DROPPED, 1)
    assert talk.reaches(STRANGERS[0]) == [False]


def fail_to_confirm(machine: Machine) -> None:
    """Let the time to confirm be over."""
    path = machine.state / "probation.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**facts, "until": 0.0}), encoding="utf-8")
    late = "Too late to confirm. The change was undone."
    assert late in machine.run("confirm").err


def test_dropped_peers_are_unblocked_when_the_previous_fence_returns(
    one: Machine, talk: Talk
) -> None:
    one.ok("refresh")
    assert talk.reaches(PHONE) == [True]
    one.rule("60.toml", "[allow]\ncountries = []\n")
    done = one.ok("apply", "--cut", "--confirm-within", "1m", "--accept", "shut-out", "--json")
    assert dropped(done) == 1
    assert talk.reaches(PHONE) == [False]
    fail_to_confirm(one)
    assert talk.reaches(PHONE, PHONE) == [True, True]


def test_dropped_peers_are_unblocked_when_an_unconfirmed_first_fence_is_undone(
    one: Machine, talk: Talk
) -> None:
    one.ok("refresh")
    one.ok("remove")
    for generation in one.generations():
        generation.unlink()
    assert talk.reaches(STRANGERS[0]) == [True]
    assert dropped(one.ok("apply", "--cut", "--confirm-within", "1m", "--json")) == 1
    fail_to_confirm(one)
    assert talk.reaches(STRANGERS[0]) == [True]


def test_the_next_run_unblocks_peers_that_a_killed_one_did_not(one: Machine, talk: Talk) -> None:
    one.ok("refresh")
    assert talk.reaches(PHONE) == [True]
    sever(one)
    again = one.ok("apply", "--json")
    assert not again.json["changed"]
    assert unblocked(again) == 1
    assert talk.reaches(PHONE) == [True]


def sever(machine: Machine) -> None:
    """Cut every flow, whatever the fence says."""
    with machine.host.entered():
        assert cut(flow for flow in read_flows() if flow.inbound) == 1
