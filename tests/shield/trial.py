"""Random packets, each to fence and shield together, then to the fence alone.

What the fence alone passes must pass both. The shield comes first: a packet that gets in makes a
flow, which the shield would know.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random

from geofence.apply import apply_ruleset
from geofence.backends.interface import Backend
from geofence.lab.network import Lab
from geofence.lab.payloads import TOKEN_LENGTH
from geofence.lab.probes import Probe, Transport
from geofence.lab.sender import ETHERTYPES, MACS, on_one_cpu
from geofence.model.elements import TimedPrefix
from geofence.model.prefixes import Family
from geofence.model.ruleset import Role, Ruleset
from geofence.routing.routes import read_local
from geofence.shield import bpf, loading, pins, raising
from geofence.shield.counting import COUNT_SIZE, counters
from geofence.shield.decision import tables_of
from geofence.shield.design import Design, design
from geofence.shield.host import read_host
from geofence.shield.obstacles import HostFacts, interfaces
from tests.oracle.cases import Chance, Published
from tests.oracle.policies import random_ruleset
from tests.oracle.trial import _redirection, _route_here
from tests.shield.kernel import side
from tests.support.probes import forget, send_from_pbx

ROUNDS_PER_LAB = 5
PACKETS_PER_ROUND = 500
FLOWS = 40
_AT_ONCE = 64
_DAMAGED = 0.25
"""Share of the packets to which something is done that no sane sender does."""
_RESTORE = {Family.IPV4: "iptables-restore", Family.IPV6: "ip6tables-restore"}
_TAG = b"\x81\x00\x00\x05"
_OTHER = b"\x02\x00\x00\x00\x00\x99"


@dataclass(frozen=True, slots=True)
class Odd:
    """A probe, and what is wrong with its frame."""

    probe: Probe
    damage: str = ""

    def frames(self, port: int, token: int, own: bytes) -> Iterator[bytes]:
        """The frames."""
        used = port if self.probe.source_port is None else self.probe.source_port
        kind = ETHERTYPES[self.probe.source.version].to_bytes(2, "big")
        for packet in self.probe.build(self.probe, used, token):
            to = {"broadcast": b"\xff" * 6, "other": _OTHER}.get(self.damage, own)
            tag = _TAG if self.damage == "tag" else b""
            yield to + bytes(6) + tag + kind + damaged(packet, self.damage)


def damaged(packet: bytes, damage: str) -> bytes:
    """A packet with something wrong in it."""
    data = bytearray(packet)
    four = packet[0] >> 4 == 4
    header = (packet[0] & 15) * 4 if four else 40
    if damage == "sum" and len(data) > header + 7:
        at = header + (6 if packet[9 if four else 6] == 17 else 16) % (len(data) - header)
        if at < len(data) - TOKEN_LENGTH:  # a raw socket takes it, and its token for another's
            data[at] ^= 1
    elif damage == "header" and four:
        data[10] ^= 1
    elif damage == "cut":
        return bytes(data[: max(header + 2, len(data) - 12)])
    elif damage in ("short", "long"):
        at = 2 if four else 4
        length = int.from_bytes(data[at : at + 2], "big")
        wrong = length - 18 if damage == "short" else length + 9
        data[at : at + 2] = max(0, wrong).to_bytes(2, "big")
        if four:
            data[10:12] = bytes(2)
            data[10:12] = _checksum(bytes(data[:header]))
    return bytes(data)


def _checksum(header: bytes) -> bytes:
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


DAMAGES = ("tag", "broadcast", "other", "sum", "header", "cut", "short", "long")


@dataclass(frozen=True, slots=True)
class Found:
    """What one round found."""

    packets: int
    passed: int
    by_shield: int
    """Packets that the shield dropped."""
    lost: tuple[Odd, ...]
    """Those that the fence alone passes and the shield dropped."""


def trial(backend: Backend, seed: int, packets: int, place: Path, *, tcx: bool) -> Iterator[Found]:
    """Rounds of a random ruleset and random packets, until so many packets were sent."""
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    left = packets
    while left > 0:
        with Lab() as lab:
            rounds = Rounds(lab, backend, dice, place, tcx=tcx)
            for _ in range(ROUNDS_PER_LAB):
                if left > 0:
                    found = rounds.another(min(PACKETS_PER_ROUND, left))
                    left -= found.packets
                    yield found


class Rounds:
    """Rulesets that follow one another in one kernel, and packets under each."""

    def __init__(self, lab: Lab, backend: Backend, dice: Random, place: Path, *, tcx: bool) -> None:
        self._lab, self._backend, self._dice, self._place = lab, backend, dice, place
        self._tcx = tcx
        self._chance = Chance(dice)
        for family in Family:
            _route_here(lab, family)

    def another(self, count: int) -> Found:
        """Change the fence; send packets with the shield up, and what is lost once more without."""
        ruleset = random_ruleset(self._dice)
        with self._lab.pbx.entered():
            apply_ruleset(self._backend, ruleset)
            self._fill(ruleset)
        published = self._publish(ruleset)
        answers = list(self._answers(ruleset, min(FLOWS, count // 5)))
        new = self._chance.cases(ruleset, count - len(answers), published)
        odd = [self._odd(probe) for probe in (*answers, *(case.probe for case in new))]
        self._dice.shuffle(odd)
        with ExitStack() as closing, self._lab.pbx.entered():
            counts, made = self._raise(ruleset, closing)
            landed = self._fire(odd)
            by_shield = _dropped(counts, made) if made else 0
            pins.lower(self._place)
        again = [each for each, where in zip(odd, landed, strict=True) if where is None]
        alone = self._fire(again)
        forget(self._lab)
        lost = tuple(each for each, where in zip(again, alone, strict=True) if where)
        return Found(len(odd), sum(map(bool, landed)), by_shield, lost)

    def _fill(self, ruleset: Ruleset) -> None:
        now = time.time()
        for key, content in ruleset.runtime.items():
            wanted = [TimedPrefix(each, now + 3_600) for each in content.prefixes()]
            self._backend.hold(key, wanted, now)

    def _publish(self, ruleset: Ruleset) -> list[Published]:
        """Lead a few ports elsewhere, as destination NAT does."""
        fenced = [ports for service in ruleset.services for ports in service.ports]
        some = self._dice.sample(fenced, min(2, len(fenced)))
        rules = [
            Published(str(ports.protocol), ports.last, self._dice.random() < 0.5, 443, here)
            for ports in some
            for here in [self._dice.random() < 0.5]
        ]
        for family, program in _RESTORE.items():
            lines = [_redirection(family, rule) for rule in rules]
            self._lab.pbx.run(program, stdin="\n".join(("*nat", *lines, "COMMIT", "")))
        return rules

    def _answers(self, ruleset: Ruleset, count: int) -> Iterator[Probe]:
        """What comes back when the PBX has asked somebody, and what only looks so."""
        for exchange in self._chance.exchanges(ruleset, count):
            send_from_pbx(self._lab, exchange.question)
            yield exchange.answer
            answer, by = exchange.answer, self._dice.choice((-1, 1))
            near = answer.port + by, (answer.source_port or 1) + by
            if answer.transport in (Transport.UDP, Transport.TCP):
                yield replace(answer, port=min(max(near[0], 0), 65_535))
                yield replace(answer, source_port=min(max(near[1], 0), 65_535))

    def _odd(self, probe: Probe) -> Odd:
        wrong = self._dice.random() < _DAMAGED
        return Odd(probe, self._dice.choice(DAMAGES) if wrong else "")

    def _raise(self, ruleset: Ruleset, closing: ExitStack) -> tuple[int, Design | None]:
        timed = {key: held for key, held in ruleset.runtime.items() if key.role is Role.TIMED}
        local = (route.prefix for route in read_local() if route.table == 255)
        made = design(ruleset, timed, local)
        if not made.drops_anything:
            return 0, None
        counts = loading.new_counters(made)
        closing.callback(os.close, counts)
        program = loading.load(side(), made, tables_of(made), counts, sample=0, mark=1 << 30)
        closing.callback(os.close, program)
        ports = [port._replace(default_route=port.name in MACS) for port in read_host().ports]
        on = interfaces(ruleset, HostFacts(tuple(ports)))
        raising.put_up(self._place, on, program, counts, tcx=self._tcx)
        return counts, made

    def _fire(self, odd: Sequence[Odd]) -> list[str | None]:
        """Where each got in, as ``Lab.fire`` tells; frames may be odd."""
        lab, landed = self._lab, list[str | None]()
        waiting = iter(odd)
        with lab.internet.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            while volley := list(islice(waiting, _AT_ONCE)):
                tokens = [next(lab._tokens) for _ in volley]  # noqa: SLF001
                with on_one_cpu():
                    for each, token in zip(volley, tokens, strict=True):
                        link = each.probe.link
                        own = bytes.fromhex(MACS[link].replace(":", ""))
                        for frame in each.frames(next(lab._ports), token, own):  # noqa: SLF001
                            raw.sendto(frame, (link, 0))
                    markers = lab._send_markers()  # noqa: SLF001
                for name, marker in markers.items():
                    lab.observers[name].await_token(marker)
                landed += [lab._where(token) for token in tokens]  # noqa: SLF001
        return landed


def _dropped(counts: int, made: Design) -> int:
    values = (
        value
        for index in range(counters(made) - 1)
        for value in bpf.per_cpu_values(counts, index, COUNT_SIZE)
    )
    return sum(int.from_bytes(value[:8], "little") for value in values)
