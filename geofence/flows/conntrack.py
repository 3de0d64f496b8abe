"""Connection tracking of the current network namespace: read flows from it, and cut them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from geofence.errors import BackendError, BackendUnavailable
from geofence.flows.conntrack_messages import (
    delete_reopened_request,
    delete_request,
    flows_request,
    is_severed,
    parse_flow,
    sever_request,
)
from geofence.flows.flow import Flow
from geofence.flows.impact import to_mend
from geofence.flows.interfaces import with_interfaces
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Ruleset
from geofence.netlink.messages import NETLINK_NETFILTER, Request, error_number, raise_for
from geofence.netlink.socket import NetlinkSocket, batched, translating
from geofence.routing.routes import local_addresses
from geofence.translation import tr

_TRIES = 5
"""How often a flow is severed anew that this host, sending all the while, reopens in between."""


def read_flows() -> tuple[Flow, ...]:
    """Return every UDP and TCP flow that the kernel tracks, both families.

    Raises:
        BackendUnavailable: privilege or kernel support is missing.
        BackendError: the kernel's answer could not be had or understood.
    """
    local = local_addresses()
    with _connected() as channel:
        flows = (
            parse_flow(body, local)
            for family in Family
            for _, _, _, body in channel.dump(flows_request(family))
        )
        return tuple(flow for flow in flows if flow is not None)


def cut(flows: Iterable[Flow]) -> int:
    """Make the kernel forget flows, so that the next packet that comes in them is NEW to the fence.

    That alone would not end a call: the next thing this host sends to the other end would make a
    flow of this host's own, and the answers to it pass. So each flow is *severed*: an entry takes
    its place that what this host still sends belongs to, and nothing that comes in (see
    ``sever_request``). The kernel forgets it when this host has been silent for a while, or
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
    with _connected() as channel:
        return sum(_cut(channel, part) for part in batched(known))


def forget(flows: Iterable[Flow]) -> int:
    """Make the kernel forget flows, so that the next packet of either end begins a new one.

    Returns:
        How many the kernel still knew.

    Raises:
        BackendUnavailable: privilege or kernel support is missing.
        BackendError: the kernel refused.
    """
    known = tuple(flows)
    with _connected() as channel:
        return _change(channel, delete_request, known).count(0)


def mend(ruleset: Ruleset | None) -> int:
    """Unblock connections that were cut, where a ruleset admits them; None is no fence at all.

    Call it whenever a ruleset was put into the kernel, or taken out: otherwise they stay blocked
    until the kernel forgets them.

    Returns:
        How many had been cut and no longer are.

    Raises:
        BackendUnavailable: privilege or kernel support is missing.
        BackendError: the kernel's answer could not be had or understood, or it refused.
    """
    with _connected() as channel:
        severed = with_interfaces(_severed(channel), ruleset)
        return _change(channel, delete_request, to_mend(ruleset, severed)).count(0)


def _severed(channel: NetlinkSocket) -> Iterator[Flow]:
    for family in Family:
        for _, _, _, body in channel.dump(flows_request(family)):
            if is_severed(body, family):
                flow = parse_flow(body, AddressSpace())
                if flow is not None:
                    yield flow


def _cut(channel: NetlinkSocket, flows: Sequence[Flow]) -> int:
    known = _change(channel, delete_request, flows).count(0)
    left = _not_severed(channel, flows)
    for _ in range(_TRIES):
        if left:
            _change(channel, delete_reopened_request, left)
            left = _not_severed(channel, left)
    return known


def _not_severed(channel: NetlinkSocket, flows: Sequence[Flow]) -> tuple[Flow, ...]:
    """Sever flows; those that this host reopened before its turn came are left."""
    codes = _change(channel, sever_request, flows)
    return tuple(flow for flow, code in zip(flows, codes, strict=True) if code)


def _change(
    channel: NetlinkSocket, request: Callable[[Flow], Request], flows: Sequence[Flow]
) -> list[int]:
    """Ask for one change of each flow; 0 for done, or why not: it is not, or already, there."""
    answers = channel.exchange([request(flow) for flow in flows])
    codes = [error_number(kind, body) for kind, _, _, body in answers]
    for code in codes:
        raise_for(0 if code in (errno.ENOENT, errno.EEXIST) else code)
    return codes


@contextmanager
def _connected() -> Iterator[NetlinkSocket]:
    """Open a socket to connection tracking; raise refusals of the kernel as geofence's errors."""
    with translating(_refusal), NetlinkSocket(NETLINK_NETFILTER) as channel:
        yield channel


def _refusal(error: OSError | ValueError) -> BackendError:
    if not isinstance(error, OSError):
        return BackendError(
            tr("The kernel's list of connections cannot be read: {reason}.", reason=error)
        )
    if error.errno in (errno.EPERM, errno.EACCES):
        return BackendUnavailable(
            tr(
                "Reading and dropping connections needs CAP_NET_ADMIN. Run geofence as root, for "
                "example with sudo."
            )
        )
    if error.errno in (errno.EINVAL, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP):
        return BackendUnavailable(
            tr(
                "This kernel does not tell its connections. Load the module with "
                "'modprobe nf_conntrack_netlink'."
            )
        )
    reason = error.strerror or error
    return BackendError(
        tr("The kernel refused to read or drop connections: {reason}.", reason=reason)
    )
