"""Trunks: what peers of several objects make together, without those that are no trunks."""

from __future__ import annotations

from geofence.asterisk.addresses import (
    Network,
    contains,
    is_everybody,
    is_loopback,
    is_private,
    literal,
    network,
)
from geofence.asterisk.findings import Findings, Peer
from geofence.asterisk.reading import Trunk, WarningKind


def trunks(found: Findings) -> tuple[Trunk, ...]:
    """Merge peers of the same host and port, and leave out this host and the whole Internet."""
    merged: dict[tuple[object, ...], Trunk] = {}
    named: dict[tuple[object, ...], dict[str, None]] = {}
    reported: set[tuple[WarningKind, str]] = set()
    for peer, source in found.peers:
        if not _accepted(found, peer, reported):
            continue
        key = (peer.host.lower(), peer.kind, peer.port, peer.srv, peer.use, peer.left_out)
        named.setdefault(key, {})[source] = None
        if key not in merged:
            merged[key] = Trunk(
                peer.host, peer.kind, (), peer.port, peer.srv, peer.left_out, peer.use
            )
    return tuple(
        Trunk(
            each.host,
            each.kind,
            tuple(named[key]),
            each.port,
            each.srv,
            each.left_out,
            each.use,
        )
        for key, each in merged.items()
    )


def _accepted(found: Findings, peer: Peer, reported: set[tuple[WarningKind, str]]) -> bool:
    """Whether a peer is a trunk; if there is something to say, say it once."""
    kind = _objection(found, peer)
    if kind is not None and (kind, peer.host) not in reported:
        reported.add((kind, peer.host))
        found.warn(kind, peer.where, host=peer.host)
    return kind in (None, WarningKind.TRUNK_IS_PRIVATE)


def _objection(found: Findings, peer: Peer) -> WarningKind | None:
    own = {each.rstrip(".") for each in found.own}
    if peer.network is None:
        name = peer.host.lower().rstrip(".")
        this_host = name in own or name == "localhost" or name.endswith(".localhost")
        return WarningKind.TRUNK_IS_THIS_HOST if this_host else None
    if is_everybody(peer.network):
        return WarningKind.TRUNK_IS_EVERYBODY
    if is_loopback(peer.network) or peer.network in _own_networks(found):
        return WarningKind.TRUNK_IS_THIS_HOST
    if is_private(peer.network) and not _is_local(peer.network, found.local_nets):
        return WarningKind.TRUNK_IS_PRIVATE
    return None


def _own_networks(found: Findings) -> set[Network]:
    addresses = [literal(each) for each in found.own]
    return {each for each in (network(one, None) for one in addresses if one) if each}


def _is_local(each: Network, local: list[Network]) -> bool:
    return any(contains(outer, each) for outer in local)
