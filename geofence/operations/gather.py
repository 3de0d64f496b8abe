"""The lists of a run: from the network where it is asked, else the last accepted versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from geofence.errors import GuardRefusal
from geofence.merge import needed_lists
from geofence.model.lists import AcceptedList, ListId
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.model.report import ListOutcome, ListReport
from geofence.operations.site import Site


def spaces(reports: Iterable[ListReport]) -> Mapping[ListId, AddressSpace]:
    """The address space of each list that could be had."""
    return {r.id: r.space for r in reports if r.outcome is not ListOutcome.MISSING}


def stored(site: Site, policy: Policy) -> tuple[ListReport, ...]:
    """The last accepted version of each list that the policy needs."""
    return tuple(_stored(site, wanted) for wanted in needed_lists(policy))
