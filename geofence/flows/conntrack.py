"""The edge: reads the flows of the current network namespace from the kernel, and cuts them.

By which interface a source is reached, routing says.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from geofence.errors import BackendError, BackendUnavailable
from geofence.flows import conntrack_messages
from geofence.flows.flow import Flow
from geofence.flows.impact import that_hang_on_interfaces, to_mend
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.ruleset import Ruleset
from geofence.netlink.messages import (
    NETLINK_NETFILTER,
    NETLINK_ROUTE,
    SOL_NETLINK,
    Message,
    dumped,
    error_number,
    raise_for,
    unpack,
)

_T = TypeVar("_T")

_DATAGRAM = 1 << 18
"""Octets that are read at once; the kernel fills no more than 32 KiB of a dump."""

_AT_ONCE = 64
"""Requests under way: their acknowledgements all fit into a socket's receive buffer."""

_TRIES = 5
"""How often a flow is severed anew that this host, sending all the while, reopens in between."""

STRICT_CHECK = (SOL_NETLINK, 12)
"""``SOL_NETLINK``, ``NETLINK_GET_STRICT_CHK``: the kernel itself leaves out the routes to others,
which may be those of all the Internet."""


def read_flows() -> tuple[Flow, ...]:
    """Every UDP and TCP flow that the kernel tracks, both families.

    Raises:
        BackendUnavailable: privilege or kernel support is missing.
        BackendError: the kernel's answer could not be had or understood.
    """
    local = _local_addresses()
    with netlink(NETLINK_NETFILTER, "read the live flows") as channel:
        flows = (
            conntrack_messages.parse_flow(body, local)
            for family in Family
            for _, _, _, body in dump(channel, conntrack_messages.flows_request(family))
        )
        return tuple(flow for flow in flows if flow is not None)


def with_interfaces(flows: Iterable[Flow], *rulesets: Ruleset | None) -> tuple[Flow, ...]:
    """Say of each flow that may begin by some interfaces alone by which its source is reached.

    Whoever is reached by a trusted interface is taken to come in by it: what is sent to this host
    by another, in that source's name, gets no answer there. Who is reached by none, or in several
    VRFs by several, counts as from an interface that no rule names.

    Args:
        flows: as ``read_flows`` gives them, or severed ones.
        rulesets: whose trusted interfaces matter.

    Raises:
        BackendError: the kernel's answer could not be had or understood.
    """
    known = tuple(flows)
    with netlink(NETLINK_ROUTE, "ask how live flows are reached") as channel:
        asked = {_ends(flow) for flow in that_hang_on_interfaces(known, rulesets)}
        if not asked:
            return known
        by = _reached_by(channel, asked)
        return tuple(flow._replace(interface=by.get(_ends(flow), "")) for flow in known)


def cut(flows: Iterable[Flow]) -> int:
    """Make the kernel forget flows, so that the next packet that comes in them is NEW to the fence.

    That alone would not end a call: the next thing this host sends to the other end would make a
    flow of this host's own, and the answers to it pass. So each flow is *severed*: an entry takes
    its place that what this host still sends belongs to, and nothing that comes in (see
    ``wire.sever_request``). The kernel forgets it when this host has been silent for a while, or
    ``mend`` does.

    Cut after the ruleset that denies them is in the kernel. A flow that has ended by itself
    meanwhile is no error.

    Returns:
        How many the kernel still knew.

    Raises:
        BackendUnavailable: privilege or kernel support is missing.
        BackendError: the kernel refused; flows before the refused one are cut.
    """
    known = tuple(flows)
    with netlink(NETLINK_NETFILTER, "cut live flows") as channel:
        return sum(_cut(channel, part) for part in _parts(known))


def forget(flows: Iterable[Flow]) -> int:
    """Make the kernel forget flows, so that the next packet of either end begins a new one.

    Returns:
        How many the kernel still knew.

    Raises:
        BackendUnavailable: privilege or kernel support is missing.
        BackendError: the kernel refused.
    """
    known = tuple(flows)
    with netlink(NETLINK_NETFILTER, "forget connections") as channel:
        return sum(
            _change(channel, conntrack_messages.delete_request, part).count(0)
            for part in _parts(known)
        )


def mend(ruleset: Ruleset | None) -> int:
    """Let flows that were cut begin again where a ruleset admits them; None is no fence at all.

    Call it whenever a ruleset was put into the kernel, or taken out: who is let in again shall not
    have to wait for the kernel to forget.

    Returns:
        How many had been cut and no longer are.

    Raises:
        BackendUnavailable: privilege or kernel support is missing.
        BackendError: the kernel's answer could not be had or understood, or it refused.
    """
    with netlink(NETLINK_NETFILTER, "mend flows that were cut") as channel:
        severed = with_interfaces(_severed(channel), ruleset)
        parts = _parts(to_mend(ruleset, severed))
        return sum(
            _change(channel, conntrack_messages.delete_request, part).count(0) for part in parts
        )


def _severed(channel: socket.socket) -> Iterator[Flow]:
    for family in Family:
        for _, _, _, body in dump(channel, conntrack_messages.flows_request(family)):
            if conntrack_messages.is_severed(body, family):
                flow = conntrack_messages.parse_flow(body, AddressSpace())
                if flow is not None:
                    yield flow


def _local_addresses() -> AddressSpace:
    """The addresses of this host: what routes of any table say is local."""
    with netlink(NETLINK_ROUTE, "read this host's addresses") as channel:
        return AddressSpace.of(prefix for prefix, _ in _local_routes(channel))


def _local_routes(channel: socket.socket) -> Iterator[tuple[Prefix, int]]:
    """What is local, and the routing table that says so."""
    with suppress(OSError):  # kernels before 4.20 send every route; others are left out here
        channel.setsockopt(*STRICT_CHECK, 1)
    for family in Family:
        for kind, _, _, body in dump(channel, conntrack_messages.local_request(family)):
            prefix = conntrack_messages.local_prefix(kind, body)
            if prefix:
                yield prefix, conntrack_messages.local_table(body)


_Ends = tuple[Family, int, int]
"""The source of a flow, and the address that answers it."""


def _ends(flow: Flow) -> _Ends:
    return flow.family, flow.source, conntrack_messages.answers_from(flow)


def _reached_by(channel: socket.socket, ends: Collection[_Ends]) -> dict[_Ends, str]:
    """The one interface by which each source is reached; empty for none and for several."""
    answers = dump(channel, conntrack_messages.links_request())
    links = [
        link for kind, _, _, body in answers if (link := conntrack_messages.parse_link(kind, body))
    ]
    vrfs = {link.table: link.number for link in links if link.table}
    local = tuple(_local_routes(channel))
    ways = {each: _ways(each, local, vrfs) for each in ends}
    leading = _leading(channel, tuple({way for some in ways.values() for way in some}))
    names = {link.number: link.name for link in links}
    found = {each: {names.get(leading[way], "") for way in some} for each, some in ways.items()}
    return {each: "".join(several) if len(several) == 1 else "" for each, several in found.items()}


def _ways(
    ends: _Ends, local: Iterable[tuple[Prefix, int]], vrfs: Mapping[int, int]
) -> set[conntrack_messages.Way]:
    """A way for the main table, or for each VRF, that has the address which answers.

    Behind NAT that address may be another host's. Then it is not named, since the kernel would
    refuse to route for it.
    """
    family, source, answers = ends
    tables = {
        table
        for prefix, table in local
        if prefix.family is family and prefix.network <= answers < prefix.past
    }
    own = {conntrack_messages.Way(family, source, answers, vrfs.get(table, 0)) for table in tables}
    return own or {conntrack_messages.Way(family, source, 0)}


def _leading(
    channel: socket.socket, ways: Sequence[conntrack_messages.Way]
) -> dict[conntrack_messages.Way, int]:
    """The index of the interface that each way goes by; 0 where no route leads there."""
    found: dict[conntrack_messages.Way, int] = {}
    for part in _parts(ways):
        requests = (conntrack_messages.way_request(way, number) for number, way in enumerate(part))
        channel.send(b"".join(requests))
        waiting = len(part)
        while waiting:
            for kind, _, number, body in unpack(channel.recv(_DATAGRAM)):
                found[part[number]] = conntrack_messages.way_out(kind, body)
                waiting -= 1
    return found


def dump(channel: socket.socket, request: bytes) -> Iterator[Message]:
    """The messages that answer one request."""
    channel.send(request)
    with suppress(FileNotFoundError):  # a host without any address has no routing table
        yield from dumped(partial(channel.recv, _DATAGRAM), 0)


def _parts(all_: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (all_[at : at + _AT_ONCE] for at in range(0, len(all_), _AT_ONCE))


def _cut(channel: socket.socket, flows: Sequence[Flow]) -> int:
    known = _change(channel, conntrack_messages.delete_request, flows).count(0)
    left = _not_severed(channel, flows)
    for _ in range(_TRIES):
        if left:
            _change(channel, conntrack_messages.delete_reopened_request, left)
            left = _not_severed(channel, left)
    return known


def _not_severed(channel: socket.socket, flows: Sequence[Flow]) -> tuple[Flow, ...]:
    """Sever flows; those that this host reopened before its turn came are left."""
    codes = _change(channel, conntrack_messages.sever_request, flows)
    return tuple(flow for flow, code in zip(flows, codes, strict=True) if code)


def _change(
    channel: socket.socket, request: Callable[[Flow, int], bytes], flows: Sequence[Flow]
) -> list[int]:
    """Ask for one change of each flow; 0 for done, or why not: it is not, or already, there."""
    channel.send(b"".join(request(flow, number) for number, flow in enumerate(flows)))
    codes: dict[int, int] = {}
    while len(codes) < len(flows):
        answers = unpack(channel.recv(_DATAGRAM))
        codes |= {number: error_number(kind, body) for kind, _, number, body in answers}
    for code in codes.values():
        raise_for(0 if code in (errno.ENOENT, errno.EEXIST) else code)
    return [codes[number] for number in range(len(flows))]


@contextmanager
def netlink(protocol: int, what: str, groups: int = 0) -> Iterator[socket.socket]:
    """A netlink socket that hears the groups; the kernel's refusals as geofence's errors."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol) as c:
            c.bind((0, groups))
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
