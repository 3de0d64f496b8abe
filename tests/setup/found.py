"""Machines as ``setup`` finds them, for tests without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from geofence.asterisk.derived import derive
from geofence.asterisk.reader import reading_of
from geofence.host.sockets import Holder, ListeningSocket
from geofence.model.policy import Policy, Protocol
from geofence.operations.site import shipped_rules
from geofence.policy import load_policy
from geofence.setup.machine import AsteriskFound, Existing, Machine

SHIPPED = load_policy([shipped_rules()])

TRUNK = """\
[udp]
type=transport
protocol=udp
bind=0.0.0.0:5066

[north]
type=registration
server_uri=sip:sip.north.example:5080
client_uri=sip:me@sip.north.example

[south]
type=identify
match=198.18.7.0/28
endpoint=south
"""
RTP = "[general]\nrtpstart=10000\nrtpend=10999\n"


def with_files(files: Mapping[str, str], policy: Policy = SHIPPED) -> Machine:
    """A machine with an Asterisk of that configuration."""
    reading = reading_of({"rtp.conf": RTP, **files})
    asterisk = AsteriskFound(Path("/etc/asterisk"), reading, derive(reading, policy))
    return Machine(asterisk=asterisk)


def with_trunk(policy: Policy = SHIPPED) -> Machine:
    return with_files({"pjsip.conf": TRUNK}, policy)


def listening(port: int, protocol: Protocol, program: str) -> ListeningSocket:
    holders = (Holder(7, program),)
    address = IPv4Address(0)
    return ListeningSocket(protocol, address, port, frozenset({4}), 0, 0, 1, holders)


def holding(machine: Machine, *sockets: ListeningSocket) -> Machine:
    return replace(machine, sockets=sockets)


def existing(policy: Policy = SHIPPED) -> Existing:
    """A host on which only what ships was installed."""
    return Existing(policy)
