"""Stored objects in which anything may be anywhere: each look at them ends in a finding."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.cluster.client import Cluster, Thing
from geofence.errors import GeofenceError
from geofence.model.ports import Ports, Protocol
from geofence.model.prefixes import AddressSpace
from geofence.model.target import FIELD_MANAGER, Target, TargetKind
from geofence.operations.targets.engine_state import refused_policies
from geofence.operations.targets.observe import observe
from geofence.operations.targets.shown import shown_plan
from geofence.operations.targets.site import TargetSite
from geofence.operations.targets.why import judge_of
from geofence.targets import registry
from geofence.targets.fence import ClusterFence, FenceGroup, ServicePorts
from geofence.targets.objects import Resource
from geofence.targets.prefixes import parse_prefix

_JSON = st.recursive(
    st.sampled_from(["", "http", "banana", "1.2.3.4/8", "0.0.0.0/0", "\ud800"])
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["cidr", "port", "a"]), inner, max_size=2)
    ),
    max_leaves=3,
)
_ABSENT = object()


def _space(*texts: str) -> AddressSpace:
    return AddressSpace.of(map(parse_prefix, texts))


_PORTS = (Ports(Protocol.UDP, 5060, 5061), Ports(Protocol.TCP, 5060, 5060))
_FENCE = ClusterFence(
    (
        FenceGroup(
            (ServicePorts("sip", _PORTS),),
            _space("203.0.113.0/24"),
            _space("9.9.9.0/24"),
            _space("133.0.0.0/8", "2400::/16"),
        ),
    )
)


class _Stored:
    """What of a cluster's client is asked, with objects as they are."""

    server = "https://cluster.example"

    def __init__(self, things: Iterable[Thing]) -> None:
        self._things = list(things)

    def list(self, resource: Resource, *_: object) -> tuple[Thing, ...]:
        found = (each for each in self._things if each.get("kind") == resource.kind)
        return tuple({**each, "apiVersion": resource.api_version} for each in found)

    def get(self, *_: object) -> None:
        """Return that there is no other."""

    def serves(self, _: Resource) -> bool:
        return True


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _places(inner, (*path, at))


def _with(value: Any, path: tuple[Any, ...], put: object) -> Any:  # noqa: ANN401 - JSON
    made = copy.copy(value)
    if len(path) > 1:
        made[path[0]] = _with(value[path[0]], path[1:], put)
    elif put is _ABSENT:
        del made[path[0]]
    else:
        made[path[0]] = put
    return made


def _as_stored(content: object) -> dict[str, Any]:
    thing: dict[str, Any] = json.loads(json.dumps(content))
    thing["metadata"] |= {"uid": "u", "managedFields": [{"manager": FIELD_MANAGER}]}
    thing["status"] = {"conditions": [{"type": "Valid", "status": "True"}]}
    return thing


@pytest.mark.parametrize("kind", TargetKind)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_is_anywhere_in_an_object_is_no_traceback(
    kind: TargetKind, data: st.DataObject
) -> None:
    nodes = () if kind is TargetKind.NETWORKPOLICY else (("pbx", "yes"),)
    target = Target("k8s", kind, "pbx", (("app", "asterisk"),), nodes)
    engine = registry.load(kind)
    wanted = engine.objects(_FENCE, target)
    things = [_as_stored(each.content) for each in wanted]
    at = data.draw(st.integers(0, len(things) - 1))
    path = data.draw(st.sampled_from([each for each in _places(things[at]) if each]))
    things[at] = _with(things[at], path, data.draw(st.just(_ABSENT) | _JSON))
    cluster = cast("Cluster", _Stored(things))
    kinds = {each.kind: each for each in engine.resources}
    known = SimpleNamespace(engine=engine, target=target, resource=kinds.__getitem__)
    place = cast("TargetSite", known)
    with suppress(GeofenceError):
        found = observe(place, cluster, wanted)
        shown_plan(found, engine.held(_FENCE), wanted)
        refused_policies(cluster, target, engine.resources)
        for after in (wanted, ()):
            engine.order(found.objects, after)
        judge_of(place, found)
