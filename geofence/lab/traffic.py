"""The process behind ``stream``: sends its flows until it is told to stop.

It reads one line of JSON that says what to send, answers with a number when the first round is out,
reads one more line whenever it comes, and then answers with the number of rounds it sent.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from ipaddress import ip_address
from typing import Any, TextIO

from geofence.lab import payloads
from geofence.lab.probes import Probe, Transport
from geofence.lab.sender import Sender, on_one_cpu
from geofence.lab.stream import RepeatedProbe

_FIRST_PORT, _PORTS = 20_001, 40_000
"""Source ports are used in turn where a probe names none: the fence meets ever new flows."""


def _flow(said: dict[str, Any]) -> RepeatedProbe:
    probe = Probe(
        ip_address(said["source"]),
        ip_address(said["destination"]),
        Transport(said["transport"]),
        said["port"],
        said["source_port"],
        payload=getattr(payloads, said["payload"]),
        link=said["link"],
    )
    return RepeatedProbe(probe, said["first_token"])


def _send(sender: Sender, flow: RepeatedProbe, turn: int) -> None:
    sender.send(flow.probe, _FIRST_PORT + turn % _PORTS, flow.first_token + turn)


def _rounds(sender: Sender, flows: list[RepeatedProbe], every: float) -> int:
    """Send until there is something to read; how many rounds that were."""
    turn, due = 0, time.monotonic()
    while True:
        for flow in flows:
            _send(sender, flow, turn)
        turn += 1
        if turn == 1:
            _say(turn)
        due = max(due + every, time.monotonic())  # what was missed is not made up for in a burst
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            return turn


def _say(number: int) -> None:
    print(number, flush=True)  # noqa: T201 - standard output is the channel to the parent


def main(commands: TextIO = sys.stdin) -> None:
    """Do as told, in the namespace that the process was started in."""
    task = json.loads(commands.readline())
    *flows, marker = map(_flow, task["flows"])
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as link_layer, on_one_cpu():
        sender = Sender(link_layer)
        rounds = _rounds(sender, flows, task["every"])
        _send(sender, marker, 0)
    _say(rounds)


if __name__ == "__main__":
    main()
