"""The prefilters of the ipset backend on a real kernel, in a network namespace of its own."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from geofence.apply import plan_for
from geofence.backends.ipset.backend import IpsetBackend
from geofence.backends.ipset.iptables import Tool
from geofence.backends.ipset.near import Prefilters, read_near
from geofence.backends.ipset.sets import KernelSets
from geofence.backends.ipset.shapes import BITMAP, NET
from geofence.backends.prefilter_key import PrefilterKey
from geofence.errors import BackendError
from geofence.lab.host import Host
from geofence.merge import merge
from geofence.model.elements import TimedPrefix
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import Role, Ruleset, SetKey, SourceIn, SourceWithin
from tests.support.values import JAPAN, RTP, SIP, country, policy, prefix, space

BACKEND = IpsetBackend()
RULESET = merge(policy(), JAPAN)
SIP4, SIP6 = (PrefilterKey("sip", family) for family in Family)
TIMED4 = SetKey(Role.TIMED, "sip", Family.IPV4)
LISTS = {country("JP"): space("192.0.2.0/24"), country("RU"): space("95.24.0.0/16", "2a02::/29")}
ALIKE = (replace(SIP, countries=("JP",)), replace(RTP, countries=("JP",)))
PARTED = (ALIKE[0], replace(RTP, countries=("JP", "RU")))
SWAPPED = (replace(SIP, countries=("RU",)), replace(RTP, countries=("JP",)))
WALK = tuple(
    merge(policy(countries=(), services=services, local=space(*local)), lists)
    for services, local, lists in (
        (ALIKE, (), LISTS),
        (PARTED, ("172.16.0.0/12", "fc00::/7"), LISTS),
        (SWAPPED, ("172.16.0.0/12",), LISTS),
        (ALIKE, (), {country("JP"): space("203.0.113.0/24", "2001:db8::/32")}),
        (ALIKE[:1], ("10.0.0.0/8",), LISTS),
        (ALIKE, (), {country("JP"): space("0.0.0.0/0", "2a02::/29")}),
        (SWAPPED, (), LISTS),
    )
)
"""Rulesets each of which follows on the one before: other sets, other content, other rules."""


@pytest.fixture(autouse=True)
def host() -> Iterator[Host]:
    with Host("pbx") as made, made.entered():
        yield made


def commit(desired: Ruleset) -> None:
    BACKEND.commit(plan_for(BACKEND, desired))


def held(key: PrefilterKey) -> PrefixSet | None:
    with KernelSets() as sets:
        near = read_near(sets, key)
    return None if near is None else near.content


def kind(key: PrefilterKey) -> str:
    with KernelSets() as sets:
        near = read_near(sets, key)
    assert near is not None
    return near.kind


def lines(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def near_sets() -> set[str]:
    return {name for name in lines("ipset", "list", "-n") if "near" in name}


def allow(*prefixes: str, seconds: float = 60) -> None:
    now = time.time()
    wanted = [TimedPrefix(prefix(each), now + seconds) for each in prefixes]
    BACKEND.put(TIMED4, wanted, (), now)


def test_the_first_rule_of_a_service_asks_for_the_networks_around_what_it_allows() -> None:
    commit(RULESET)
    around = held(SIP4)
    assert around is not None
    assert not space("192.0.0.0/16", "198.51.0.0/16").ipv4 - around
    for program, family in (("iptables", 4), ("ip6tables", 6)):
        first = lines(program, "-t", "mangle", "-S", "GEOFENCE-sip")[1]
        assert f"! --match-set geofence-near{family}-sip src -g GEOFENCE.far-sip" in first
    assert (kind(SIP4), kind(SIP6)) == (BITMAP, NET)


def test_prefilters_go_with_the_fence() -> None:
    commit(RULESET)
    commit(merge(policy(services=(SIP,)), JAPAN))
    assert near_sets() == {"geofence-near4-sip", "geofence-near6-sip"}
    BACKEND.remove()
    assert not near_sets()


def test_there_is_none_around_half_of_all_addresses() -> None:
    commit(RULESET)
    commit(merge(policy(), {country("JP"): space("0.0.0.0/1", "2001:db8::/32")}))
    assert near_sets() == {"geofence-near6-sip", "geofence-near6-rtp"}
    assert "far" not in "".join(lines("iptables", "-t", "mangle", "-S"))


def test_without_allowed_addresses_it_is_empty() -> None:
    closed = merge(policy(local=space(), services=(SIP,)), {country("JP"): space()})
    commit(replace(closed, sets={key: PrefixSet(key.family) for key in closed.sets}))
    assert held(SIP4) == PrefixSet(Family.IPV4)


def allowed(ruleset: Ruleset, key: PrefilterKey) -> PrefixSet:
    """What a service of a ruleset allows; nothing without the service."""
    services = [each for each in ruleset.services if each.name == key.service]
    matches = [rule.match for each in services for rule in ruleset.rules(each)]
    keys = [SetKey(m.role, m.group, key.family) for m in matches if isinstance(m, SourceIn)]
    parts = [ruleset.sets[each] for each in keys if each in ruleset.sets]
    local = PrefixSet.of(key.family, [m.prefix for m in matches if isinstance(m, SourceWithin)])
    return PrefixSet.union(key.family, (*parts, local))


def test_at_every_step_it_encloses_whom_the_old_and_the_new_fence_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: dict[PrefilterKey, PrefixSet] = {}
    steps: list[bool] = []

    def watched(step: Callable[..., None]) -> Callable[..., None]:
        def act(*given: object) -> None:
            step(*given)
            near = {key: held(key) for key in kept}
            steps.append(
                any(kept[key] - around for key, around in near.items() if around is not None)
            )

        return act

    changes = ("swap", KernelSets), ("delete", KernelSets), ("restore", Tool)
    for name, owner in changes:
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    keys = [PrefilterKey(name, family) for name in ("sip", "rtp") for family in Family]
    for before, desired in pairwise((WALK[0], *WALK)):
        kept |= {key: allowed(before, key) & allowed(desired, key) for key in keys}
        commit(desired)
        assert plan_for(BACKEND, desired).is_empty
    assert len(steps) > len(WALK)
    assert not any(steps)


def test_it_narrows_once_the_sets_are_exchanged() -> None:
    for before, after in pairwise(WALK):
        commit(before)
        commit(after)
        wanted = Prefilters().wanted(after)
        assert {key: held(key) for key in wanted} == wanted
        assert len(near_sets()) == len(wanted)


def test_it_encloses_what_is_allowed_until_a_time() -> None:
    commit(RULESET)
    allow("80.1.2.3/32")
    BACKEND.hold(TIMED4, [TimedPrefix(prefix("90.1.0.0/15"), None)], time.time())
    around = held(SIP4)
    assert around is not None
    assert not space("80.1.0.0/16", "90.0.0.0/15").ipv4 - around
    assert plan_for(BACKEND, RULESET).is_empty


def test_it_narrows_after_what_was_allowed_until_a_time() -> None:
    commit(RULESET)
    allow("80.1.2.3/32", "90.1.2.3/32")
    BACKEND.put(TIMED4, (), (prefix("80.1.2.3/32"),), time.time())
    commit(merge(policy(), {country("JP"): space("203.0.113.0/24")}))
    around = held(SIP4)
    assert around is not None
    assert (80 << 24 | 1 << 16 in around, 90 << 24 | 1 << 16 in around) == (False, True)


def test_everybody_can_be_allowed_until_a_time() -> None:
    commit(RULESET)
    allow("0.0.0.0/0")
    assert held(SIP4) == PrefixSet(Family.IPV4).complement()


def test_what_others_allow_until_a_time_is_enclosed_by_the_next_run() -> None:
    commit(RULESET)
    subprocess.run(["ipset", "add", "geofence-timed4-sip", "80.1.2.3"], check=True)
    plan = plan_for(BACKEND, RULESET)
    assert plan.observed.debris == ("set geofence-near4-sip (does not enclose the other sets)",)
    BACKEND.commit(plan)
    assert plan_for(BACKEND, RULESET).is_empty
    around = held(SIP4)
    assert around is not None
    assert 80 << 24 | 1 << 16 in around


def test_the_counters_outlive_a_prefilter_put_right() -> None:
    commit(RULESET)
    before = BACKEND.rules(RULESET)
    subprocess.run(["ipset", "flush", "geofence-near4-sip"], check=True)
    plan = plan_for(BACKEND, RULESET)
    assert not plan.rules_differ
    BACKEND.commit(plan)
    assert plan_for(BACKEND, RULESET).is_empty
    assert BACKEND.observe().rules == before


def test_the_fingerprint_tells_of_a_prefilter() -> None:
    commit(RULESET)
    before = BACKEND.fingerprint()
    assert BACKEND.fingerprint() == before
    subprocess.run(["ipset", "del", "geofence-near4-sip", "192.0.0.0"], check=True)
    assert BACKEND.fingerprint() != before


@pytest.fixture
def without_bitmaps(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """As on a kernel without ip_set_bitmap_ip, until the function returned is called."""
    had = KernelSets.has_type

    def has_type(sets: KernelSets, name: str, family: Family) -> bool:
        return had(sets, f"{name}-none" if name == BITMAP else name, family)

    monkeypatch.setattr(KernelSets, "has_type", has_type)
    return monkeypatch.undo


def test_a_kernel_without_bitmaps_has_a_hash(without_bitmaps: Callable[[], None]) -> None:
    for desired in WALK:
        commit(desired)
        allow("80.1.2.3/32")
        assert plan_for(BACKEND, desired).is_empty
    assert kind(SIP4) == NET
    lengths = {line.rpartition("/")[2] for line in lines("ipset", "save", "geofence-near4-sip")[1:]}
    assert lengths == {"16"}
    without_bitmaps()
    assert plan_for(BACKEND, WALK[-1]).is_empty
    commit(WALK[0])
    assert plan_for(BACKEND, WALK[0]).is_empty


def test_a_fence_of_before_gets_its_prefilters(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as former:
        former.setattr(Prefilters, "wanted", lambda *_: {})
        old = IpsetBackend()
        old.commit(plan_for(old, RULESET))
    assert not near_sets()
    allow("80.1.2.3/32")
    assert not near_sets()
    commit(RULESET)
    assert plan_for(BACKEND, RULESET).is_empty
    around = held(SIP4)
    assert around is not None
    assert 80 << 24 | 1 << 16 in around


def test_refused_rules_leave_no_prefilter(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise BackendError("Not these.")

    with monkeypatch.context() as refusing:
        refusing.setattr(Tool, "restore", refused)
        with pytest.raises(BackendError, match="Not these"):
            commit(RULESET)
    assert not near_sets()


def test_a_killed_run_leaves_a_prefilter_that_the_next_one_takes_away() -> None:
    commit(merge(policy(services=(SIP,)), JAPAN))
    subprocess.run(["ipset", "create", "geofence-near4-rtp", "hash:net"], check=True)
    plan = plan_for(BACKEND, RULESET)
    assert plan.observed.debris == ("geofence-near4-rtp",)
    BACKEND.commit(plan)
    assert plan_for(BACKEND, RULESET).is_empty
    assert kind(PrefilterKey("rtp", Family.IPV4)) == BITMAP


def test_the_range_of_all_addresses_is_taken_in_parts() -> None:
    wide = AddressSpace(PrefixSet.of(Family.IPV4, (prefix("1.0.0.0/32"), prefix("255.0.0.0/9"))))
    commit(merge(policy(), {country("JP"): wide}))
    around = held(SIP4)
    assert around is not None
    assert wide.ipv4 - around == PrefixSet(Family.IPV4)
    assert not re.search("does not", str(plan_for(BACKEND, RULESET).observed.debris))
