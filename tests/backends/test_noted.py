"""Noted sources, read as columns and forgotten, on every backend and a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from geofence.apply import apply_ruleset
from geofence.backends import registry
from geofence.backends.interface import Backend
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.elements import Element, Noted
from geofence.model.prefixes import Family
from geofence.model.sets import NOTED_BITS, NOTED_SECONDS, Role, SetKey
from tests.backends.test_runtime_sets import RULESET

KEYS = [SetKey(role, "sip", family) for role in (Role.DENIED, Role.SEEN) for family in Family]
STRANGERS = {
    Family.IPV4: ("45.9.1.1", "45.9.1.2", "203.0.113.7"),
    Family.IPV6: ("2a00:1450::7", "2a00:1450:0:1::7", "2a00:1450:0:2::7"),
}


@pytest.fixture(params=sorted(registry.MODULES))
def backend(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Backend]:
    """A backend with a fence in the lab's PBX, which the test is in; strangers have knocked."""
    made = registry.load(request.param)
    with lab.pbx.entered():
        apply_ruleset(made, RULESET)
        for times, index in ((3, 0), (1, 1), (2, 2)):
            for family, sources in STRANGERS.items():
                source = ip_address(sources[index])
                lab.fire([Probe(source, PBX[family], Transport.UDP, 5060)] * times)
        yield made
        made.remove()


def networks(family: Family) -> list[int]:
    mask = -1 << (family.bits - NOTED_BITS[family])
    return [int(ip_address(text)) & mask for text in STRANGERS[family]]


def without_time(element: Element) -> Element:
    return element._replace(seconds=None)


def packets(noted: Noted) -> dict[int, int]:
    return dict(zip(noted.networks, noted.packets, strict=True))


def test_columns_are_the_elements(backend: Backend) -> None:
    for key in KEYS:
        noted = backend.noted(key)
        size = 1 << (key.family.bits - NOTED_BITS[key.family])
        assert [without_time(each) for each in noted.elements(size)] == [
            without_time(each) for each in backend.elements(key)
        ]
        assert all(NOTED_SECONDS - 60 < left <= NOTED_SECONDS for left in noted.seconds)
        if key.role is Role.DENIED:
            assert packets(noted) == dict(zip(networks(key.family), (3, 1, 2), strict=True))


def test_some_are_forgotten_and_the_others_stay_with_their_counts(backend: Backend) -> None:
    for key in KEYS:
        first, second, third = networks(key.family)
        backend.forget(key, [first, third, 1 << 70 if key.family is Family.IPV6 else 1])
        left = backend.noted(key)
        assert list(left.networks) == [second]
        assert key.role is not Role.DENIED or list(left.packets) == [1]


def test_all_are_forgotten_and_noted_again(backend: Backend, lab: Lab) -> None:
    for key in KEYS:
        backend.forget(key)
        assert backend.noted(key).number == 0
    source = ip_address(STRANGERS[Family.IPV4][0])
    lab.fire([Probe(source, PBX[Family.IPV4], Transport.UDP, 5060)])
    assert packets(backend.noted(KEYS[0])) == {int(source): 1}


def test_a_set_that_is_not_there_has_no_sources(backend: Backend) -> None:
    key = SetKey(Role.DENIED, "web", Family.IPV4)
    assert backend.noted(key) == Noted()
    backend.forget(key)
    backend.remove()
    assert backend.noted(KEYS[0]) == Noted()
    assert not backend.dropped()


def test_dropped_packets_are_those_that_are_observed(backend: Backend) -> None:
    assert backend.dropped() == backend.observe().dropped
    assert backend.dropped()["sip"].packets == 12


def test_what_is_read_alone_is_what_the_whole_backend_reads(backend: Backend) -> None:
    from geofence.backends.noting import noting

    alone = next(noting(backend.name))
    assert alone.keys() == backend.keys()
    assert [packets(alone.noted(key)) for key in KEYS] == [
        packets(backend.noted(key)) for key in KEYS
    ]
    assert [type(each) for each in noting("of-another-version")] == [
        type(each) for each in noting(None)
    ]
