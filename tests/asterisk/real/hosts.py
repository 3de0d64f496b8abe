"""A host of its own for an Asterisk: addresses, and a name server that knows some names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from geofence.lab.host import Host
from geofence.lab.wiring import connect, loopback_up, plug
from tests.support.name_server import NameServer

PORTS_OF_ITS_OWN = range(61_000, 65_536)
"""From which the kernel chooses: two sockets of Asterisk have such, and serve nobody."""

ADDRESSES = ("203.0.113.10/24", "10.20.30.10/24", "2001:db8:100::10/64")
"""Which the configurations bind to."""
OWN = frozenset(address.partition("/")[0] for address in ADDRESSES)


@contextmanager
def pbx_host(names: Iterable[str] = ()) -> Iterator[Host]:
    """Make a host with the addresses, on which each of the names has an address."""
    with Host("pbx") as host, Host("far") as far:
        loopback_up(host)
        connect(
            plug(host, "wan", "02:00:00:00:00:11", *ADDRESSES),
            plug(far, "wan", "02:00:00:00:00:01", "203.0.113.1/24", "2001:db8:100::1/64"),
        )
        with host.entered():
            ports = f"{PORTS_OF_ITS_OWN.start} {PORTS_OF_ITS_OWN.stop - 1}"
            Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(ports, encoding="ascii")
        known = {name: [address] for address, name in by_address(names).items()}
        with NameServer(host, addresses=known):
            yield host


def by_address(names: Iterable[str]) -> dict[str, str]:
    """Return names by the addresses that they have on such a host."""
    return {f"198.18.0.{number}": name for number, name in enumerate(sorted(names), 1)}
