"""Facts of ``status`` beside the fence: edited rules, connections, rules of other programs."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.errors import BackendError, GuardRefusal, MissingListError
from geofence.flows.connections import outliving, unnamed_peers
from geofence.flows.conntrack import read_flows
from geofence.flows.impact import TouchedSource
from geofence.flows.interfaces import with_interfaces
from geofence.flows.shared_source import Crowd, crowd
from geofence.merge import merge
from geofence.model.frozen import dataclass, replace
from geofence.model.policy import Policy
from geofence.model.ruleset import FencedService, Ruleset
from geofence.operations.lists import spaces
from geofence.operations.report import ListReport
from geofence.other_rules import OtherRules, read_other_rules


@dataclass(frozen=True, slots=True)
class Traffic:
    """Facts of current connections under a ruleset."""

    outliving: tuple[TouchedSource, ...] = ()
    """Sources whose connections go on although they could not begin now."""
    unnamed: tuple[TouchedSource, ...] = ()
    """Peers that this host contacts from fenced ports, and that no rule allows."""
    crowd: Crowd | None = None
    """The private address of most connections, if there is one."""
    unread: str = ""
    """Why connections could not be read; empty if they were."""


def look_at_traffic(ruleset: Ruleset | None, dropped: int) -> Traffic:
    """Read the current connections and return facts about them.

    Args:
        ruleset: the one in force; None if unknown.
        dropped: number of packets that the fence dropped so far.
    """
    if ruleset is None:
        return Traffic()
    try:
        flows = with_interfaces(read_flows(), ruleset)
    except BackendError as error:
        return Traffic(unread=str(error))
    return Traffic(
        outliving(ruleset, flows),
        unnamed_peers(ruleset, flows),
        crowd(ruleset.services, flows, dropped=dropped),
    )


def are_rules_edited(policy: Policy, reports: Iterable[ListReport], applied: Ruleset) -> bool:
    """Whether the rules and lists on disk differ from what was applied.

    Local networks do not count: they follow addresses and routes by themselves.
    """
    try:
        desired = merge(policy, spaces(reports))
    except (MissingListError, GuardRefusal):
        return True
    return replace(desired, local=()) != replace(applied, local=())


def other_rules_beside(services: Iterable[FencedService]) -> OtherRules:
    """Read what rules of other programs do to fenced services."""
    return read_other_rules({service.name: service.ports for service in services})
