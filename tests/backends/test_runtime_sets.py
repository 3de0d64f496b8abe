"""Sets whose elements come and go at run time, on every backend and a real kernel."""

from __future__ import annotations

import time
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
from geofence.model.elements import TimedPrefix
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Role, Ruleset, SetKey
from geofence.plan.drift import differences
from tests.support.values import country, policy, prefix, space

BANS = SetKey(Role.BAN, "", Family.IPV4)
BANS6 = SetKey(Role.BAN, "", Family.IPV6)
TIMED = SetKey(Role.TIMED, "sip", Family.IPV4)
DENIED = SetKey(Role.DENIED, "sip", Family.IPV4)
DENIED6 = SetKey(Role.DENIED, "sip", Family.IPV6)
SEEN = SetKey(Role.SEEN, "sip", Family.IPV4)
RULESET = merge(policy(), {country("JP"): space("20.0.0.0/8", "2001:db8:20::/48")})
JAPAN, STRANGER = "20.1.2.3", "203.0.113.7"


@pytest.fixture(params=sorted(registry.MODULES))
def backend(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Backend]:
    """A backend in the lab's PBX, which the test is in."""
    made = registry.load(request.param)
    with lab.pbx.entered():
        yield made
        made.remove()


def put(backend: Backend, key: SetKey, *elements: tuple[str, float | None]) -> None:
    """Put prefixes in, each for so many seconds."""
    now = time.time()
    added = [
        TimedPrefix(prefix(text), None if seconds is None else now + seconds)
        for text, seconds in elements
    ]
    backend.put(key, added, (), now)


def held(backend: Backend, key: SetKey = BANS) -> PrefixSet:
    return backend.observe().runtime[key]


def another(ruleset: Ruleset) -> Ruleset:
    """Other rules, and another declared set."""
    key = SetKey(Role.EXCEPTION, "sip", Family.IPV4)
    sets = {**ruleset.sets, key: space("192.0.2.0/24").ipv4}
    return replace(ruleset, sets=sets, interfaces=("tun0",))


def lands(lab: Lab, source: str = JAPAN, port: int = 5060) -> bool:
    family = Family.IPV4 if "." in source else Family.IPV6
    probe = Probe(ip_address(source), PBX[family], Transport.UDP, port)
    (where,) = lab.fire([probe])
    return where is not None


def test_elements_are_not_drift_and_survive_a_refresh(backend: Backend) -> None:
    apply_ruleset(backend, RULESET)
    put(backend, BANS, ("20.1.0.0/16", 600), ("20.7.0.1/32", None))
    put(backend, BANS6, ("2001:db8:20:1::/64", 600))
    elements = space("20.1.0.0/16", "20.7.0.1/32").ipv4
    assert held(backend) == elements
    assert plan_for(backend, RULESET).is_empty
    assert differences(plan_for(backend, RULESET)) == ()
    for desired in (another(RULESET), RULESET, another(RULESET)):
        apply_ruleset(backend, desired)
        assert held(backend) == elements
        assert held(backend, BANS6) == space("2001:db8:20:1::/64").ipv6
        assert plan_for(backend, desired).is_empty
    assert survey(backend).runtime[BANS] == elements


def test_a_ban_ends_connections_and_an_exception_goes_before_it(backend: Backend, lab: Lab) -> None:
    named = replace(
        RULESET,
        sets={
            **RULESET.sets,
            SetKey(Role.EXCEPTION, "sip", Family.IPV4): space("20.9.0.0/16").ipv4,
        },
    )
    apply_ruleset(backend, named)
    assert lands(lab)
    put(backend, BANS, ("20.0.0.0/12", 600))
    assert not lands(lab)
    assert not lands(lab, JAPAN, 10_000)
    assert lands(lab, "20.9.1.1")
    assert not lands(lab, "20.9.1.1", 10_000)
    assert lands(lab, "20.20.1.1")
    backend.put(BANS, (), [prefix("20.0.0.0/12")], time.time())
    assert lands(lab)


def test_an_exception_for_a_time_allows_its_service_until_its_end(
    backend: Backend, lab: Lab
) -> None:
    apply_ruleset(backend, RULESET)
    assert not lands(lab, STRANGER)
    put(backend, TIMED, (f"{STRANGER}/32", 2))
    assert lands(lab, STRANGER)
    assert not lands(lab, STRANGER, 10_000)
    apply_ruleset(backend, another(RULESET))
    assert lands(lab, STRANGER)
    time.sleep(2.2)
    assert not lands(lab, STRANGER)
    assert plan_for(backend, another(RULESET)).is_empty


def test_remaining_time_and_counts_are_reported(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    put(backend, BANS, ("20.1.0.0/16", 600), ("20.7.0.1/32", None))
    for _ in range(3):
        assert not lands(lab)
    apply_ruleset(backend, another(RULESET))
    lasting, forever = sorted(backend.elements(BANS))
    assert (lasting.first, lasting.past) == (0x14010000, 0x14020000)
    assert lasting.seconds is not None
    assert 590 < lasting.seconds <= 600
    assert lasting.packets == 3
    assert lasting.octets >= 3 * 28
    assert forever.seconds is None
    assert forever.packets == 0


def test_what_is_removed_and_added_at_once_stays_with_its_new_end(backend: Backend) -> None:
    apply_ruleset(backend, RULESET)
    both = [prefix("20.1.2.3/32"), prefix("2001:db8:20:1::/64")]
    put(backend, BANS, ("20.1.2.3/32", 60))
    put(backend, BANS6, ("2001:db8:20:1::/64", 60))
    now = time.time()
    for key in (BANS, BANS6):
        backend.put(key, [TimedPrefix(each, now + 600) for each in both], both, now)
    assert held(backend) == space("20.1.2.3/32").ipv4
    assert held(backend, BANS6) == space("2001:db8:20:1::/64").ipv6
    for key in (BANS, BANS6):
        (element,) = backend.elements(key)
        assert element.seconds is not None
        assert 590 < element.seconds <= 600


def test_holding_changes_differing_elements_only(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    now = time.time()
    first = [
        TimedPrefix(prefix("20.1.0.0/16"), now + 600),
        TimedPrefix(prefix("20.2.0.0/16"), None),
    ]
    assert backend.hold(BANS, first, now) == 2
    assert backend.hold(BANS, first, now) == 0
    assert not lands(lab)
    second = [
        TimedPrefix(prefix("20.1.0.0/16"), now + 600),
        TimedPrefix(prefix("20.3.0.0/16"), None),
    ]
    assert backend.hold(BANS, second, now) == 2
    assert held(backend) == space("20.1.0.0/16", "20.3.0.0/16").ipv4
    assert [each.packets for each in sorted(backend.elements(BANS))] == [1, 0]
    assert backend.hold(BANS, [TimedPrefix(prefix("20.3.0.0/16"), now - 1)], now) > 0
    assert not held(backend)


def test_overlapping_prefixes_stay_until_the_last_of_their_ends(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    now = time.time()
    wanted = [
        TimedPrefix(prefix("20.0.0.0/8"), now + 4),
        TimedPrefix(prefix("20.1.2.0/24"), now + 600),
        TimedPrefix(prefix("20.1.2.128/25"), None),
        TimedPrefix(prefix("20.1.3.0/24"), now + 600),
    ]
    assert backend.hold(BANS, wanted, now)
    assert held(backend) == space("20.0.0.0/8").ipv4
    assert not lands(lab, "20.9.9.9")
    time.sleep(max(0, now + 5.2 - time.time()))
    assert held(backend) == space("20.1.2.0/23").ipv4
    assert lands(lab, "20.9.9.9")
    assert not lands(lab)
    backend.hold(BANS, wanted[1:], time.time())
    assert held(backend) == space("20.1.2.0/23").ipv4


def test_all_addresses_and_the_last_ones_can_be_in_a_set(backend: Backend) -> None:
    apply_ruleset(backend, RULESET)
    for key, everything, last in (
        (BANS, "0.0.0.0/0", "255.255.255.255/32"),
        (BANS6, "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"),
    ):
        now = time.time()
        for text in (everything, last):
            backend.hold(key, [TimedPrefix(prefix(text), now + 600)], now)
            assert held(backend, key) == space(text)[key.family]
            assert backend.hold(key, [TimedPrefix(prefix(text), now + 600)], now) == 0
        backend.hold(key, (), now)
        assert not held(backend, key)


def test_blocked_sources_are_noted_with_their_packets(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    for _ in range(3):
        assert not lands(lab, STRANGER)
    assert not lands(lab, "2001:db8:99::1")
    assert not lands(lab, "2001:db8:99::2")
    assert lands(lab)
    (noted,) = backend.elements(DENIED)
    assert noted.first == int(ip_address(STRANGER))
    assert noted.past == noted.first + 1
    assert noted.packets == 3
    (network,) = backend.elements(DENIED6)
    assert network.first == int(ip_address("2001:db8:99::"))
    assert network.past - network.first == 1 << 64
    assert network.packets == 2
    (seen,) = backend.elements(SEEN)
    assert noted.seconds is not None
    assert seen.seconds is not None
    apply_ruleset(backend, another(RULESET))
    (kept,) = backend.elements(DENIED)
    assert kept.packets == 3


def test_last_and_first_packet_have_their_own_times(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    assert not lands(lab, STRANGER)
    time.sleep(2.1)
    assert not lands(lab, STRANGER)
    (noted,) = backend.elements(DENIED)
    (seen,) = backend.elements(SEEN)
    assert noted.seconds is not None
    assert seen.seconds is not None
    assert 1 <= seen.seconds - noted.seconds <= 4


def test_bans_are_not_noted_as_turned_away(backend: Backend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    put(backend, BANS, ("20.1.0.0/16", 600))
    assert not lands(lab)
    assert backend.elements(DENIED) == []
    assert backend.observe().dropped["sip"].packets == 1


def test_observing_notes_and_counts_and_drops_nothing(backend: Backend, lab: Lab) -> None:
    services = tuple(replace(each, observe=each.name == "sip") for each in RULESET.services)
    observing = replace(RULESET, services=services)
    apply_ruleset(backend, observing)
    assert plan_for(backend, observing).is_empty
    put(backend, BANS, ("20.1.0.0/16", 600))
    assert lands(lab, STRANGER)
    assert lands(lab)
    assert not lands(lab, STRANGER, 10_000)
    (noted,) = backend.elements(DENIED)
    assert noted.packets == 1
    assert backend.observe().dropped["sip"].packets == 2
    assert backend.observe().fenced == frozenset(Family)


def test_the_sets_are_made_where_they_are_missing_and_go_where_they_are_not_wanted(
    backend: Backend,
) -> None:
    apply_ruleset(backend, RULESET)
    put(backend, BANS, ("20.1.0.0/16", 600))
    assert differences(plan_for(backend, Ruleset()))
    apply_ruleset(backend, Ruleset())
    assert not backend.observe().runtime
    assert backend.elements(BANS) == []
    with pytest.raises(BackendError):
        put(backend, BANS, ("20.1.0.0/16", 600))
    apply_ruleset(backend, RULESET)
    assert not held(backend)
    assert backend.remove()
    assert not backend.observe().runtime


def test_a_table_that_is_put_to_sleep_is_made_anew_with_the_elements(
    backend: Backend, lab: Lab
) -> None:
    if backend.name != "nftables":
        pytest.skip("only a table of nftables can be put to sleep")
    apply_ruleset(backend, RULESET)
    put(backend, BANS, ("20.1.0.0/16", 600))
    lab.pbx.run("nft", "add table inet geofence { flags dormant; }")
    apply_ruleset(backend, RULESET)
    (kept,) = backend.elements(BANS)
    assert kept.seconds is not None
    assert 500 < kept.seconds <= 600
    assert not lands(lab)


def test_a_set_of_another_shape_is_not_taken_for_one(backend: Backend, lab: Lab) -> None:
    if backend.name != "ipset":
        pytest.skip("nftables makes the right one beside it")
    lab.pbx.run("ipset", "create", "geofence-ban4", "hash:net")
    with pytest.raises(BackendError, match="ipset destroy geofence-ban4"):
        backend.observe()
    lab.pbx.run("ipset", "destroy", "geofence-ban4")
