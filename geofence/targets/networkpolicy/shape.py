"""The shape of geofence's NetworkPolicies: names, roles, and the rules of one group."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from geofence.model.policy import Ports
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from geofence.model.target import Target
from geofence.targets.fence import FenceGroup
from geofence.targets.objects import Json, Resource

NETWORK_POLICY = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")


class Part(StrEnum):
    """What an object holds; the value of ``ROLE_LABEL``."""

    BASE = "base"
    """The ports that are not fenced; the sources, too, if there are no other objects."""
    RANGE = "range"
    """The sources within one range of addresses."""


class Sources(StrEnum):
    """What a rule with sources is for, in the order of a group's rules."""

    EXCEPT = "except"
    ALLOW = "allow"

    def of(self, group: FenceGroup) -> AddressSpace:
        """Return them."""
        return group.excepted if self is Sources.EXCEPT else group.allowed


class Within(NamedTuple):
    """A range of addresses: some of one family, or all of both."""

    prefix: Prefix | None = None

    def cut(self, space: AddressSpace) -> AddressSpace:
        """Return the addresses of a space that are within."""
        if self.prefix is None:
            return space
        family = self.prefix.family
        cut = clipped(space[family], self.prefix.network, self.prefix.past)
        other = PrefixSet(Family.IPV6 if family is Family.IPV4 else Family.IPV4)
        return AddressSpace(cut, other) if family is Family.IPV4 else AddressSpace(other, cut)

    def name(self, target: Target) -> str:
        """Return the name of the object with this range: ``geofence-pbx.4-8-1``.

        No name of a target has a dot, so that no other target has this name.
        """
        if self.prefix is None:
            return target.prefix
        family, network, length = self.prefix
        digits = f"{network:0{family.bits // 4}x}"[: max(-(-length // 4), 1)]
        return f"{target.prefix}.{family.digit}-{digits}-{length}"


def clipped(content: PrefixSet, first: int, past: int) -> PrefixSet:
    """Return the addresses of a set from a first one up to, not including, another."""
    bounds = content.bounds
    start, end = bisect_right(bounds, first), bisect_left(bounds, past)
    inner = bounds[start:end]
    before = (first,) if start & 1 else ()
    after = (past,) if end & 1 else ()
    return PrefixSet(content.family, (*before, *inner, *after))


def facts(groups: tuple[FenceGroup, ...], rules: tuple[tuple[Sources, ...], ...]) -> str:
    """Return the annotation: what a policy's fields have no room for.

    Args:
        groups: of the fence.
        rules: those that the object has of each group, after the rule without sources.
    """
    known = [
        {
            "services": {each.name: list(map(str, each.ports)) for each in group.services},
            "observe": group.observe,
            "rules": [each.value for each in kinds],
        }
        for group, kinds in zip(groups, rules, strict=True)
    ]
    return json.dumps(known, separators=(",", ":"))


def port_fields(ports: Ports) -> dict[str, Json]:
    """Return a range of ports as the API has it."""
    last = {} if ports.first == ports.last else {"endPort": ports.last}
    return {"protocol": ports.protocol.value.upper(), "port": ports.first, **last}


EVERY_SCTP: Mapping[str, Json] = {"protocol": "SCTP", "port": 1, "endPort": 65_535}
"""SCTP is never fenced."""
