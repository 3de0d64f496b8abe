"""Who is outside: strangers, phones and far ends, with real sockets on the lab's Internet."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from ipaddress import ip_address
from typing import Protocol, Self

from geofence.lab.host import Host
from geofence.lab.network import Lab
from geofence.lab.sender import on_one_cpu
from tests.sipstack.addresses import ROLES, Endpoint, family_of, pbx_for
from tests.sipstack.messages import response_to
from tests.support.probes import own

_LARGEST = 65535
_BLINK = 0.02
"""Seconds between two looks."""
PATIENCE = 30.0
"""Seconds until something that has to come counts as lost; it takes milliseconds."""
QUIET = 0.2
"""Seconds for an answer to come that must not; one that is sent arrives in microseconds."""


class _Hearing:
    """Somebody with a socket, who hears what the PBX says."""

    transport: str
    endpoint: Endpoint
    """Its own end."""
    _socket: socket.socket

    def await_answer(self) -> bytes:
        """Return what comes next from the PBX."""
        self._socket.settimeout(PATIENCE)
        return self._socket.recv(_LARGEST)

    def answers(self, quiet: float = QUIET, least: int = 0) -> list[bytes]:
        """Return what has come from the PBX, and comes until it is quiet.

        Args:
            quiet: seconds without a packet.
            least: packets that have to come, however long a busy PBX takes.
        """
        got: list[bytes] = []
        while True:
            self._socket.settimeout(PATIENCE if len(got) < least else quiet)
            try:
                got.append(self._socket.recv(_LARGEST))
            except TimeoutError:
                return got
            if self.transport == "TCP" and not got[-1]:  # the end of the connection
                return got[:-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Peer(_Hearing):
    """One address and port of the Internet, over UDP."""

    transport = "UDP"

    def __init__(self, lab: Lab, address: str, port: int = 5060) -> None:
        self.endpoint = Endpoint(address, port)
        self._lab = lab
        self._socket = udp_socket(lab.internet, address, port)

    def send(self, what: bytes, port: int = 5060) -> None:
        """Send to the PBX, and return when it was delivered or dropped there."""
        with on_one_cpu():
            self._socket.sendto(what, (pbx_for(self.endpoint.address), port))
            self._lab.settle()


class Caller(_Hearing):
    """A connection to the PBX over TCP."""

    transport = "TCP"

    def __init__(self, lab: Lab, address: str, port: int = 5060) -> None:
        self._lab = lab
        self._socket = lab.internet.socket(family_of(address).socket_family, socket.SOCK_STREAM)
        self._socket.bind((address, 0))
        self._socket.settimeout(PATIENCE)
        self._socket.connect((pbx_for(address), port))
        self.endpoint = Endpoint(address, self._socket.getsockname()[1])

    def send(self, what: bytes) -> None:
        """Send to the PBX, and return when it was delivered or dropped there."""
        with on_one_cpu():
            self._socket.send(what)
            self._lab.settle()


class Net(Protocol):
    """A network with an Internet, as a lab is."""

    internet: Host


class Server(AbstractContextManager["Server"]):
    """A far end that answers, in a thread: a registrar, or a STUN server."""

    def __init__(self, lab: Net, address: str, port: int, reply: Callable[[bytes], bytes]) -> None:
        self.asked: list[bytes] = []
        """Requests, each noted when it has been answered."""
        self.answers: list[bytes] = []
        """SIP responses to what was sent from here."""
        self._reply = reply
        self._closing = threading.Event()
        self.endpoint = Endpoint(address, port)
        self._socket = udp_socket(lab.internet, address, port)
        self._socket.settimeout(_BLINK)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                what, source = self._socket.recvfrom(_LARGEST)
                if what.startswith(b"SIP/2.0"):
                    self.answers.append(what)
                else:
                    self._socket.sendto(self._reply(what), source)
                    self.asked.append(what)

    def send(self, what: bytes, port: int = 5060) -> None:
        """Send to the PBX from the port that it answers from."""
        self._socket.sendto(what, (pbx_for(self.endpoint.address), port))

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering."""
        self._closing.set()
        self._thread.join()
        self._socket.close()


def registrar(lab: Net, address: str) -> Server:
    """A trunk's SIP server, which takes every registration."""
    return Server(lab, address, 5060, response_to)


def own_all(lab: Lab) -> None:
    """Give the Internet everybody's address."""
    own(lab, *(ip_address(address) for role in ROLES for address in role.values()))


def udp_socket(host: Host, address: str, port: int) -> socket.socket:
    """Return a UDP socket of a host, bound to its address and a port."""
    made = host.socket(family_of(address).socket_family, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so; fail if it does not come about."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "It did not come about."
        time.sleep(_BLINK)
