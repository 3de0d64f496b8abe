"""A host of its own for an Asterisk: addresses, and a name server that knows some names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from geofence.lab.host import Host
from geofence.lab.wiring import connect, loopback_up, plug
from tests.support.name_server import NameServer

ADDRESSES = ("203.0.113.10/24", "10.20.30.10/24", "2001:db8:100::10/64")
"""Which the configurations bind to."""


@contextmanager
def pbx_host(names: Iterable[str] = ()) -> Iterator[Host]:
    """Make a host with the addresses, on which each of the names has an address."""
    with Host("pbx") as host, Host("far") as far:
        loopback_up(host)
        connect(
            plug(host, "wan", "02:00:00:00:00:11", *ADDRESSES),
            plug(far, "wan", "02:00:00:00:00:01", "203.0.113.1/24", "2001:db8:100::1/64"),
        )
        known = {name: [f"198.18.0.{number}"] for number, name in enumerate(sorted(names), 1)}
        with NameServer(host, addresses=known):
            yield host
