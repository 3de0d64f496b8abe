"""Questions to ``/etc/hosts`` and to the name servers of this host: the edge to dnspython."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.query
import dns.rdatatype
import dns.resolver

from geofence.errors import ListError
from geofence.fetch.records import ADDRESS_TYPES, Records, RecordType
from geofence.fetch.resolv_conf import (
    ResolverConfig,
    hosts_addresses,
    names_to_ask,
    read_config,
)
from geofence.translation import tr

HOSTS_FILE = Path("/etc/hosts")
RESOLVER_FILE = Path("/etc/resolv.conf")
_LONGEST_FILE = 1 << 26
"""Bytes that are read of a file."""
_DNS_PORT = 53


def ask_system(name: str, wanted: RecordType, seconds: float) -> Records:
    """Ask ``/etc/hosts``, then the name servers of ``/etc/resolv.conf``.

    Raises:
        ListError: the name is not valid in DNS.
    """
    known = hosts_addresses(_read(HOSTS_FILE), name)
    for family, record_type in ADDRESS_TYPES.items():
        if wanted is record_type and known[family]:
            return Records(tuple(dict.fromkeys(known[family])))
    config = read_config(_read(RESOLVER_FILE))
    resolver = _resolver(config)
    deadline = time.monotonic() + seconds
    for full_name in names_to_ask(name, config):
        records = _ask(resolver, _dns_name(full_name), wanted, deadline - time.monotonic())
        if records is not None:
            return records
    return Records()


def _read(path: Path) -> str:
    """Return the text of a file; nothing if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_FILE).decode(errors="replace")
    except OSError:
        return ""


def _dns_name(text: str) -> dns.name.Name:
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, ValueError) as error:
        raise ListError(
            tr("{host} cannot be looked up in DNS. Is the name correct?", host=text)
        ) from error


def _resolver(config: ResolverConfig) -> dns.resolver.Resolver:
    made = dns.resolver.Resolver(configure=False)
    made.nameservers = [_Server(address, _DNS_PORT) for address in config.servers]
    made.timeout = config.seconds
    made.rotate = config.rotate
    return made


def _ask(
    resolver: dns.resolver.Resolver, name: dns.name.Name, wanted: RecordType, seconds: float
) -> Records | None:
    """Return the records of a full name; None if there is no such name.

    dnspython checks number, question and sender of each response, takes a truncated one again by
    TCP, and follows CNAME records.
    """
    try:
        answer = resolver.resolve(
            name,
            wanted.value,
            search=False,
            lifetime=max(0.0, seconds),
            raise_on_no_answer=False,
        )
    except dns.resolver.NXDOMAIN:
        return None
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return Records(failure=_reason(error))
    if answer.rrset is None:
        return Records()
    texts = tuple(sorted({_text(record) for record in answer.rrset}))
    return Records(texts, answer.chaining_result.minimum_ttl)


def _text(record: Any) -> str:  # noqa: ANN401 - dnspython has a class for each type
    """Return the address, or the name of the server."""
    if record.rdtype == dns.rdatatype.SRV:
        return str(record.target.to_text(omit_final_dot=True)).lower().removesuffix(".")
    return str(record.address)


def _reason(error: Exception) -> str:
    """Return what went wrong, with the last name server that was asked."""
    wrong: object = error
    if isinstance(error, dns.resolver.NoNameservers) and error.kwargs.get("errors"):
        *_, (_, _, _, wrong, _) = error.kwargs["errors"]
    if isinstance(wrong, dns.resolver.LifetimeTimeout):
        return tr("no answer in time")
    if isinstance(wrong, dns.message.ChainTooLong):
        return tr("its CNAME records form a loop or are too many")
    if isinstance(wrong, OSError):
        return wrong.strerror or type(wrong).__name__
    return wrong if isinstance(wrong, str) else type(wrong).__name__


class _Server(dns.nameserver.Do53Nameserver):
    """A name server that is asked from a connected socket.

    So the kernel drops what others send to it, and reports at once if nobody listens there.
    """

    def query(  # noqa: PLR0913, PLR0917 - as dnspython calls it
        self,
        request: dns.message.QueryMessage,
        timeout: float,
        source: str | None,
        source_port: int,
        max_size: bool,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        """Return the response.

        Raises:
            DNSException: there is none in time, or it is not valid.
            OSError: the server cannot be reached.
        """
        if max_size:
            return super().query(
                request, timeout, source, source_port, max_size, one_rr_per_rrset, ignore_trailing
            )
        family, _, _, _, where = socket.getaddrinfo(
            self.address, self.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, socket.SOCK_DGRAM) as connected:
            connected.setblocking(False)
            connected.connect(where)
            return dns.query.udp(
                request,
                self.address,
                timeout,
                self.port,
                raise_on_truncation=True,
                one_rr_per_rrset=one_rr_per_rrset,
                ignore_trailing=ignore_trailing,
                ignore_errors=True,
                ignore_unexpected=True,
                sock=connected,
            )
