"""The interfaces by which the sources of live connections are reached.

Connection tracking does not know by which interface a packet came in; routing tells by which one
this host answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from geofence.flows.conntrack_messages import answering_address
from geofence.flows.flow import Flow
from geofence.flows.impact import depending_on_interface
from geofence.model.prefixes import Family
from geofence.model.ruleset import Ruleset
from geofence.routing.outgoing import RouteQuery, outgoing_interfaces
from geofence.routing.route_messages import LocalRoute
from geofence.routing.routes import read_links, read_local

_Ends = tuple[Family, int, int]
"""The source of a flow, and the address that answers it."""


def with_interfaces(flows: Iterable[Flow], *rulesets: Ruleset | None) -> tuple[Flow, ...]:
    """Return the flows; those that may begin by some interfaces alone with their interface.

    A source that is reached by a trusted interface is taken to come in by it: what is sent to this
    host by another, in that source's name, gets no answer there. A source that is reached by none,
    or in several VRFs by several, counts as from an interface that no rule names.

    Args:
        flows: as ``read_flows`` gives them, or severed ones.
        rulesets: whose trusted interfaces matter.

    Raises:
        BackendError: the kernel's answer could not be had or understood.
    """
    known = tuple(flows)
    asked = {_ends(flow) for flow in depending_on_interface(known, rulesets)}
    if not asked:
        return known
    by = _reached_by(asked)
    return tuple(flow._replace(interface=by.get(_ends(flow), "")) for flow in known)


def _ends(flow: Flow) -> _Ends:
    return flow.family, flow.source, answering_address(flow)


def _reached_by(ends: Collection[_Ends]) -> dict[_Ends, str]:
    """Return the one interface by which each source is reached; empty for none and for several."""
    links = read_links()
    vrfs = {link.table: link.number for link in links if link.table}
    local = read_local()
    queries = {each: _queries(each, local, vrfs) for each in ends}
    leading = outgoing_interfaces({query for some in queries.values() for query in some})
    names = {link.number: link.name for link in links}
    found = {
        each: {names.get(leading[query], "") for query in some} for each, some in queries.items()
    }
    return {each: "".join(several) if len(several) == 1 else "" for each, several in found.items()}


def _queries(ends: _Ends, local: Iterable[LocalRoute], vrfs: Mapping[int, int]) -> set[RouteQuery]:
    """Return a query for the main table, or for each VRF, that has the address which answers.

    Behind NAT that address may be another host's. Then it is not named, since the kernel would
    refuse to route for it.
    """
    family, source, answers = ends
    tables = {
        table
        for prefix, table in local
        if prefix.family is family and prefix.network <= answers < prefix.past
    }
    own = {RouteQuery(family, source, answers, vrfs.get(table, 0)) for table in tables}
    return own or {RouteQuery(family, source, 0)}
