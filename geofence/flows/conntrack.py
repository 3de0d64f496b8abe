"""The edge: reads the flows of the current network namespace from the kernel, and cuts them."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from geofence.errors import BackendError, BackendUnavailable
from geofence.flows import wire
from geofence.flows.flow import Flow
from geofence.model.prefixes import AddressSpace, Family, Prefix

_DATAGRAM = 1 << 18
"""Octets that are read at once; the kernel fills no more than 32 KiB of a dump."""

_DELETES_AT_ONCE = 64
"""Requests under way: their acknowledgements all fit into a socket's receive buffer."""

_STRICT_CHECK = (270, 12)
"""``SOL_NETLINK``, ``NETLINK_GET_STRICT_CHK``: the kernel itself leaves out other routing tables,
which may hold all of the Internet."""


def read_flows() -> tuple[Flow, ...]:
    """Every UDP and TCP flow that the kernel tracks, both families.

    Raises:
        BackendUnavailable: privilege or kernel support is missing.
        BackendError: the kernel's answer could not be had or understood.
    """
    local = _local_addresses()
    with _netlink(wire.NETLINK_NETFILTER, "read the live flows") as channel:
        return tuple(
            flow
            for family in Family
            for data, _, at, end in _dump(channel, wire.flows_request(family))
            if (flow := wire.parse_flow(data, at, end, local)) is not None
        )


def cut(flows: Iterable[Flow]) -> int:
    """Make the kernel forget flows, so that their next packet is NEW to the fence.

    Of what this host itself sends later, the kernel makes a flow of this host's own, as it does of
    any. A flow that has ended by itself meanwhile is no error.

    Returns:
        How many the kernel still knew.

    Raises:
        BackendUnavailable: privilege or kernel support is missing.
        BackendError: the kernel refused; flows before the refused one are cut.
    """
    known = tuple(flows)
    with _netlink(wire.NETLINK_NETFILTER, "cut live flows") as channel:
        return sum(
            _delete(channel, known[at : at + _DELETES_AT_ONCE])
            for at in range(0, len(known), _DELETES_AT_ONCE)
        )


def _local_addresses() -> AddressSpace:
    """The addresses of this host, as ``addrtype LOCAL`` has them: the local routing table."""
    prefixes: list[Prefix] = []
    with _netlink(wire.NETLINK_ROUTE, "read this host's addresses") as channel:
        with suppress(
            OSError
        ):  # kernels before 4.20 send every table; the others are left out here
            channel.setsockopt(*_STRICT_CHECK, 1)
        for family in Family:
            for data, kind, at, end in _dump(channel, wire.local_request(family)):
                prefix = wire.local_prefix(data, kind, at, end)
                prefixes += [prefix] if prefix else []
    return AddressSpace.of(prefixes)


def _dump(channel: socket.socket, request: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """The messages that answer one request: datagram, type, where the body begins and ends."""
    channel.send(request)
    while True:
        data = channel.recv(_DATAGRAM)
        for kind, _, at, end in wire.messages(data):
            if kind in (wire.NLMSG_ERROR, wire.NLMSG_DONE):
                code = wire.error_code(data, at)
                # A host without any address has no local routing table.
                _raise_for(0 if code == errno.ENOENT else code)
                return
            yield data, kind, at, end


def _delete(channel: socket.socket, flows: Sequence[Flow]) -> int:
    channel.send(b"".join(wire.delete_request(flow, at) for at, flow in enumerate(flows)))
    codes: list[int] = []
    while len(codes) < len(flows):
        data = channel.recv(_DATAGRAM)
        codes += [wire.error_code(data, at) for _, _, at, _ in wire.messages(data)]
    for code in codes:
        _raise_for(0 if code == errno.ENOENT else code)
    return codes.count(0)


def _raise_for(code: int) -> None:
    if code:
        raise OSError(code, os.strerror(code))


@contextmanager
def _netlink(protocol: int, what: str) -> Iterator[socket.socket]:
    """A netlink socket; the kernel's refusals as geofence's errors."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol) as c:
            c.bind((0, 0))
            yield c
    except OSError as error:
        raise _translated(what, error) from error
    except ValueError as error:
        raise BackendError(
            f"The kernel's answer makes no sense, trying to {what}: {error}."
        ) from error


def _translated(what: str, error: OSError) -> BackendError:
    if error.errno in (errno.EPERM, errno.EACCES):
        return BackendUnavailable(
            f"To {what} needs CAP_NET_ADMIN; run geofence as root, for example with sudo."
        )
    if error.errno in (errno.EINVAL, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP):
        return BackendUnavailable(
            f"This kernel cannot {what}; load connection tracking's interface with "
            "'modprobe nf_conntrack_netlink'."
        )
    return BackendError(f"The kernel would not {what}: {error.strerror or error}.")
