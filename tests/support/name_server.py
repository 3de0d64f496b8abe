"""A real name server on the loopback, port 53: it answers as a test tells it to."""

from __future__ import annotations

import socket
import socketserver
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from geofence.lab.host import Host
from tests.cli.machine import Machine
from tests.support.serving import Serving, Threads

MOST_BY_UDP = 512
_AFTER_FORGERIES = 0.05


class Forgery(Enum):
    """What is wrong with a forged response."""

    NUMBER = "number"
    QUESTION = "question"
    PORT = "port"


@dataclass
class NameServer(Serving):
    """As a context manager it runs on 127.0.0.1 of a host.

    Whatever goes by a name also goes by ``NAME/TYPE``, for questions of that type alone.
    """

    host: Host
    addresses: dict[str, list[str]] = field(default_factory=dict)
    """By name."""
    turns: dict[str, list[list[str]]] = field(default_factory=dict)
    """By name: addresses of the first answer, of the second; the last goes on."""
    aliases: dict[str, str] = field(default_factory=dict)
    """CNAME records."""
    services: dict[str, list[str]] = field(default_factory=dict)
    """SRV records by name, in the form of a zone file: ``10 5 5061 sip.example.``."""
    ttl: int = 5
    ttls: dict[str, int] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    """Names of response codes: ``SERVFAIL``."""
    delays: dict[str, float] = field(default_factory=dict)
    """Seconds before the answer."""
    silent: set[str] = field(default_factory=set)
    """Questions without an answer."""
    forged: dict[str, str] = field(default_factory=dict)
    """An address that forged responses of all kinds give before the true one."""
    questions: list[tuple[str, str]] = field(default_factory=list)
    """Names and types, in order."""
    by_tcp: list[str] = field(default_factory=list)
    """Names asked for by TCP."""

    def bound(self) -> Iterator[socketserver.BaseServer]:
        with self.host.entered():
            udp, tcp = _Udp(("127.0.0.1", 53), _Datagram), _Tcp(("127.0.0.1", 53), _Stream)
            self.elsewhere = self.stack.enter_context(
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            )
        for server in (udp, tcp):
            server.names = self
            yield server

    def asked(self, name: str) -> int:
        """How often a name was asked for, in any type."""
        return sum(each == name for each, _ in self.questions)

    def reply(self, wire: bytes, most: int | None = None) -> bytes | None:
        """The answer to a query; cut, and marked so, if it is longer than may be."""
        query = dns.message.from_wire(wire)
        name, kind = _question(query)
        if most is not None:
            self.questions.append((name, kind))
        else:
            self.by_tcp.append(name)
        time.sleep(max(self.delays.get(key, 0.0) for key in _keys(name, kind)))
        if self.silent.intersection(_keys(name, kind)):
            return None
        response = self._response(query)
        if most is None:
            return response.to_wire(max_size=65_535)
        try:
            return response.to_wire(max_size=most)
        except dns.exception.TooBig:
            response.answer.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()

    def _response(self, query: dns.message.Message) -> dns.message.Message:
        name, kind = _question(query)
        response = dns.message.make_response(query, recursion_available=True)
        code = next((self.codes[key] for key in _keys(name, kind) if key in self.codes), None)
        if code:
            response.set_rcode(dns.rcode.from_text(code))
            return response
        last = self._chain(name, response)
        texts = list(self._texts(last, kind))
        if texts:
            response.answer.append(self._records(last, kind, texts))
        known = (self.addresses, self.turns, self.services, self.aliases)
        if not any(last in each for each in known):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def _chain(self, name: str, response: dns.message.Message) -> str:
        """Add the aliases of a name, also those of a loop; return the last name."""
        seen = set()
        while name in self.aliases and name not in seen:
            seen.add(name)
            response.answer.append(self._records(name, "CNAME", [f"{self.aliases[name]}."]))
            name = self.aliases[name]
        return name

    def _texts(self, name: str, kind: str) -> Iterator[str]:
        if kind == "SRV":
            yield from self.services.get(name, [])
        if kind in ("A", "AAAA"):
            turns = self.turns.get(name)
            if turns and kind == "A" and len(turns) > 1:
                found = turns.pop(0)
            else:
                found = turns[0] if turns else self.addresses.get(name, [])
            yield from (each for each in found if (":" in each) == (kind == "AAAA"))

    def _records(self, name: str, kind: str, texts: list[str]) -> dns.rrset.RRset:
        return dns.rrset.from_text_list(
            dns.name.from_text(name), self.ttls.get(name, self.ttl), "IN", kind, texts
        )

    def forgeries(self, wire: bytes) -> Iterator[tuple[Forgery, bytes]]:
        """Responses that a liar sends before the true one."""
        query = dns.message.from_wire(wire)
        name, kind = _question(query)
        if name not in self.forged or kind != "A":
            return
        for forgery in Forgery:
            response = dns.message.make_response(query, recursion_available=True)
            response.answer.append(self._records(name, "A", [self.forged[name]]))
            if forgery is Forgery.NUMBER:
                response.id ^= 1
            if forgery is Forgery.QUESTION:
                other = dns.message.make_query("other.example.", "A")
                response.question = other.question
            yield forgery, response.to_wire()


_BIND = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


@contextmanager
def asking(machine: Machine) -> Iterator[NameServer]:
    """A name server that all geofences of a machine ask."""
    resolver = machine.directory / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:2\n")
    machine.wrapper = ("unshare", "--mount", "sh", "-c", _BIND, "sh", str(resolver))
    with NameServer(machine.host) as server:
        yield server


def _question(query: dns.message.Message) -> tuple[str, str]:
    [asked] = query.question
    name = asked.name.to_text(omit_final_dot=True).lower()
    return name, dns.rdatatype.to_text(asked.rdtype)


def _keys(name: str, kind: str) -> tuple[str, str]:
    return name, f"{name}/{kind}"


class _Udp(Threads, socketserver.UDPServer):
    names: NameServer


class _Tcp(Threads, socketserver.TCPServer):
    names: NameServer
    allow_reuse_address = True


class _Datagram(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        query, sender = self.request
        assert isinstance(sender, socket.socket)
        names = self.server.names
        for forgery, lie in names.forgeries(query):
            by = names.elsewhere if forgery is Forgery.PORT else sender
            by.sendto(lie, self.client_address)
            time.sleep(_AFTER_FORGERIES)
        reply = names.reply(query, MOST_BY_UDP)
        if reply is not None:
            sender.sendto(reply, self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    server: _Tcp

    def handle(self) -> None:
        while length := self.rfile.read(2):
            reply = self.server.names.reply(self.rfile.read(int.from_bytes(length)))
            if reply is None:
                return
            self.wfile.write(struct.pack(">H", len(reply)) + reply)
