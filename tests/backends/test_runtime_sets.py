"""A set whose elements come and go at run time, on every backend and a real kernel.

The product has no runtime role yet; here the allowed countries play one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from geofence.apply import apply_ruleset, plan_for, survey
from geofence.backends import registry
from geofence.backends.interface import Backend
from geofence.errors import BackendError
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.merge import merge
from geofence.model import ruleset as model
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Role, Ruleset, SetKey, SetKind
from geofence.plan.drift import differences
from tests.support.values import country, policy, space

RUNTIME = SetKey(Role.ALLOW, "", Family.IPV4)
MADE = merge(policy(), {country("JP"): space("20.0.0.0/8", "2001:db8::/32")})
EMPTY = {
    key: PrefixSet(key.family) if key.role is Role.ALLOW else held
    for key, held in MADE.sets.items()
}
RULESET = replace(MADE, sets=EMPTY)


@pytest.fixture(params=sorted(registry.MODULES))
def backend(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> Iterator[Backend]:
    """A backend in the lab's PBX, which the test is in."""
    monkeypatch.setattr(model, "RUNTIME_ROLES", frozenset({Role.ALLOW}))
    made = registry.load(request.param)
    with lab.pbx.entered():
        yield made
        made.remove()


def add(lab: Lab, backend: Backend, element: str, seconds: int) -> None:
    """What a command of the next version will do, by the kernel's own tools."""
    name = RUNTIME.name
    if backend.name == "ipset":
        lab.pbx.run("ipset", "add", f"geofence-{name}", element, "timeout", str(seconds))
    else:
        timeout = f"timeout {seconds}s" if seconds else ""
        command = f"add element inet geofence {name} {{ {element} {timeout} }}"
        lab.pbx.run("nft", command)


def held(backend: Backend) -> PrefixSet:
    return backend.observe().sets[RUNTIME]


def another(ruleset: Ruleset) -> Ruleset:
    """Other rules, and another declared set."""
    key = SetKey(Role.EXCEPTION, "sip", Family.IPV4)
    sets = {**ruleset.sets, key: space("192.0.2.0/24").ipv4}
    return replace(ruleset, sets=sets, interfaces=("tun0",))


def test_the_role_decides_the_kind_of_set(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = (RUNTIME, SetKey(Role.EXCEPTION, "sip", Family.IPV4))
    assert [key.kind for key in keys] == [SetKind.DECLARED, SetKind.DECLARED]
    monkeypatch.setattr(model, "RUNTIME_ROLES", frozenset({Role.ALLOW}))
    assert [key.kind for key in keys] == [SetKind.RUNTIME, SetKind.DECLARED]


def test_elements_are_not_drift_and_survive_a_refresh(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    add(lab, backend, "20.1.0.0/16", 600)
    add(lab, backend, "20.7.0.1", 0)
    elements = space("20.1.0.0/16", "20.7.0.1/32").ipv4
    assert held(backend) == elements
    assert plan_for(backend, RULESET).is_empty
    assert differences(plan_for(backend, RULESET)) == ()
    for desired in (another(RULESET), RULESET, another(RULESET)):
        apply_ruleset(backend, desired)
        assert held(backend) == elements
        assert plan_for(backend, desired).is_empty
    assert survey(backend).sets[RUNTIME] == elements


def test_packets_meet_the_elements_until_their_time_is_over(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    assert lands(lab) is False
    add(lab, backend, "20.1.0.0/16", 600)
    assert lands(lab) is True
    apply_ruleset(backend, another(RULESET))
    assert lands(lab) is True
    remaining = listed(lab, backend)
    assert "timeout" in remaining
    assert 500 < seconds_left(remaining) < 601


def test_an_element_expires(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    add(lab, backend, "20.1.0.0/16", 1)
    apply_ruleset(backend, another(RULESET))
    lab.pbx.run("sleep", "1.5")
    assert not held(backend)
    assert plan_for(backend, another(RULESET)).is_empty
    assert lands(lab) is False


def test_a_missing_set_is_made_and_an_unwanted_one_removed(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    add(lab, backend, "20.1.0.0/16", 600)
    without = Ruleset()
    assert differences(plan_for(backend, without))
    apply_ruleset(backend, without)
    assert RUNTIME not in backend.observe().sets
    apply_ruleset(backend, RULESET)
    assert not held(backend)
    assert backend.remove()
    assert not backend.observe().sets


def test_a_table_that_is_put_to_sleep_is_made_anew_with_the_elements(
    backend: Backend, lab: Lab
) -> None:
    if backend.name != "nftables":
        pytest.skip("only a table of nftables can be put to sleep")
    apply_ruleset(backend, RULESET)
    add(lab, backend, "20.1.0.0/16", 600)
    lab.pbx.run("nft", "add table inet geofence { flags dormant; }")
    apply_ruleset(backend, RULESET)
    assert held(backend) == space("20.1.0.0/16").ipv4
    assert 500 < seconds_left(listed(lab, backend)) < 601
    assert lands(lab) is True


def test_a_set_without_time_outs_is_not_a_runtime_set(backend: Backend, lab: Lab) -> None:
    if backend.name != "ipset":
        pytest.skip("nftables makes the right one beside it")
    lab.pbx.run("ipset", "create", "geofence-allow4", "hash:net")
    with pytest.raises(BackendError, match="ipset destroy geofence-allow4"):
        backend.observe()
    lab.pbx.run("ipset", "destroy", "geofence-allow4")


def lands(lab: Lab) -> bool:
    probe = Probe(ip_address("20.1.2.3"), PBX[Family.IPV4], Transport.UDP, 5060)
    (where,) = lab.fire([probe])
    return where is not None


def listed(lab: Lab, backend: Backend) -> str:
    if backend.name == "ipset":
        return lab.pbx.run("ipset", "list", "geofence-allow4")
    return lab.pbx.run("nft", "list", "set", "inet", "geofence", RUNTIME.name)


def seconds_left(text: str) -> int:
    """The time that is left of the one element."""

    in_ipset = re.search(r"^20\.1\.0\.0/16 timeout (\d+)", text, re.MULTILINE)
    if in_ipset:
        return int(in_ipset[1])
    in_nft = re.search(r"expires (\d+)m(?:(\d+)s)?", text)
    assert in_nft is not None, text
    return 60 * int(in_nft[1]) + int(in_nft[2] or 0)
