"""What a new reading of Asterisk's configuration may change, whoever has written it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.asterisk.derived import derive, with_derived
from geofence.asterisk.reading import HostKind, Reading, ReadingWarning, Use, WarningKind
from geofence.errors import UsageError
from geofence.guards.following import MOST_ADDRESSES, MOST_HOSTS, Judged, judge_reading
from geofence.guards.objection import Guard
from geofence.model.policy import Policy, Ports, Service
from geofence.model.prefixes import AddressSpace, Family
from tests.asterisk.made import TCP, UDP, listener, media, readings, space, trunk

RULES = Policy((Service("sip", (Ports(UDP, 5060, 5060),)),))
OWN = space("203.0.113.10")
NORTH = trunk("198.18.7.0/24")
PBX = Reading(listeners=(listener(5070),), rtp=media(30000, 30100), trunks=(NORTH,))


def judged(before: Reading | None, now: Reading, *accept: str, rules: Policy = RULES) -> Judged:
    return judge_reading(before, now, rules, OWN, accept)


def refusals(found: Judged) -> list[str]:
    return [one.accept for one in found.refusals]


def fenced(found: Judged, rules: Policy = RULES) -> set[str]:
    together = with_derived(rules, derive(found.reading, rules, OWN))
    return {str(ports) for service in together.services for ports in service.ports}


def test_a_first_reading_is_taken() -> None:
    assert judged(None, PBX) == Judged(PBX)


def test_the_same_again_changes_nothing() -> None:
    assert judged(PBX, PBX) == Judged(PBX)


def test_new_ports_and_trunks_are_taken() -> None:
    more = replace(
        PBX,
        listeners=(*PBX.listeners, listener(5071, TCP, Use.SIPS)),
        trunks=(NORTH, trunk("198.18.9.1", sources=("identify south match",))),
    )
    assert judged(PBX, more) == Judged(more)


def test_a_moved_port_leaves_the_former_fenced() -> None:
    moved = replace(PBX, listeners=(listener(5072),))
    found = judged(PBX, moved)
    assert fenced(found) == {"5060/udp", "5070/udp", "5072/udp", "30000-30100/udp"}
    assert [str(each.ports) for each in found.still_fenced] == ["5070/udp"]
    assert not found.refusals
    assert judged(found.reading, moved).still_fenced == found.still_fenced
    assert judged(found.reading, moved, "unfenced=sip") == Judged(moved)


def test_of_a_range_only_what_is_lost_stays_beside_the_new_one() -> None:
    narrow = replace(PBX, rtp=media(30010, 30019))
    found = judged(PBX, narrow)
    assert fenced(found) == {"5060/udp", "5070/udp", "30010-30019/udp"} | {
        "30000-30009/udp",
        "30020-30100/udp",
    }
    back = judged(found.reading, PBX)
    assert (fenced(back), back.still_fenced) == (fenced(Judged(PBX)), ())


@pytest.mark.parametrize(
    ("now", "accept"),
    [
        (replace(PBX, listeners=()), "unfenced=sip"),
        (replace(PBX, rtp=None), "unfenced=rtp"),
        (replace(PBX, listeners=(listener(5070, TCP),)), "unfenced=sip"),
        (replace(PBX, listeners=(listener(5070, exposed=False),)), "unfenced=sip"),
    ],
)
def test_a_service_does_not_lose_its_fence(now: Reading, accept: str) -> None:
    found = judged(PBX, now)
    assert refusals(found) == [accept]
    assert fenced(found) >= fenced(Judged(PBX))
    assert refusals(judged(found.reading, now)) == [accept]
    assert judged(found.reading, now, accept.upper()) == Judged(now)


def test_with_all_of_sip_its_trunks_stay_too() -> None:
    assert judged(PBX, Reading(rtp=PBX.rtp)).reading.trunks == (NORTH,)


def test_ports_that_the_rules_fence_now_are_not_missed() -> None:
    rules = Policy((Service("mine", (Ports(UDP, 5070, 5070), Ports(UDP, 30000, 30100))),))
    assert judged(PBX, Reading(), rules=rules).refusals == ()


@pytest.mark.parametrize("host", ["20.0.0.0/8", "20.0.0.0/15", "2000::/3", "10.0.0.0/8"])
def test_a_broad_trunk_is_not_taken_and_the_former_stays(host: str) -> None:
    now = replace(PBX, trunks=(NORTH, trunk(host)))
    found = judged(PBX, now)
    assert refusals(found) == ["broad-trunk=asterisk-north"]
    assert found.reading.trunks == (NORTH,)
    assert refusals(judged(None, now)) == ["broad-trunk=asterisk-north"]
    accepted = judged(PBX, now, "broad-trunk=asterisk-north")
    assert accepted == Judged(now)
    assert judged(accepted.reading, now) == Judged(now)
    other = replace(now, trunks=(NORTH, trunk(host), trunk("21.0.0.0/8")))
    assert refusals(judged(accepted.reading, other)) == ["broad-trunk=asterisk-north"]


def test_a_broad_trunk_does_not_hold_up_others() -> None:
    south = trunk("198.18.9.1", sources=("identify south match",))
    now = replace(PBX, trunks=(trunk("20.0.0.0/8"), south))
    assert judged(PBX, now).reading.trunks == (south, NORTH)


def test_trunks_together_are_not_too_many() -> None:
    wide = tuple(
        trunk(f"{first}.1.0.0/16", sources=(f"identify n{first} match",)) for first in range(20, 24)
    )
    enough = replace(PBX, trunks=wide)
    assert judged(PBX, enough) == Judged(enough)
    more = replace(PBX, trunks=(*wide, trunk("30.1.0.0/32")))
    found = judged(enough, more)
    assert refusals(found) == ["many-trunks"]
    assert found.reading.trunks == wide
    assert judged(enough, more, "many-trunks") == Judged(more)
    fewer = replace(PBX, trunks=more.trunks[1:])
    assert judged(more, fewer) == Judged(fewer)


def test_names_are_not_too_many() -> None:
    names = tuple(
        trunk(f"n{number}.example", HostKind.NAME, sources=(f"aor n{number} contact",))
        for number in range(MOST_HOSTS + 1)
    )
    assert refusals(judged(PBX, replace(PBX, trunks=names))) == ["many-trunks"]
    assert refusals(judged(PBX, replace(PBX, trunks=names[1:]))) == []


@pytest.mark.parametrize(
    "blind",
    [
        Reading(invalid=("pjsip.conf",)),
        Reading(unseen=(ReadingWarning(WarningKind.UNREADABLE, "pjsip.conf"),)),
        Reading(unseen=(ReadingWarning(WarningKind.TOO_LARGE, "pjsip.conf"),)),
    ],
)
def test_what_becomes_invalid_changes_no_trunk_and_only_adds_to_the_fence(blind: Reading) -> None:
    now = replace(blind, listeners=(listener(5072),), trunks=(trunk("198.18.9.1"),))
    found = judged(PBX, now)
    assert found.blind == ("pjsip.conf",)
    assert found.reading.trunks == (NORTH,)
    assert fenced(found) == {"5060/udp", "5070/udp", "5072/udp", "30000-30100/udp"}
    assert (found.refusals, found.still_fenced) == ((), ())


def test_a_file_that_was_never_valid_holds_nothing_up() -> None:
    before = replace(PBX, invalid=("iax.conf",))
    now = replace(before, trunks=(trunk("198.18.9.1"),))
    assert judged(before, now) == Judged(now)


@pytest.mark.parametrize("token", ["unfenced", "broad-trunk", "many-trunks=x", "unfence=sip"])
def test_mistyped_overrides_are_told(token: str) -> None:
    with pytest.raises(UsageError, match="Unknown override"):
        judged(PBX, PBX, token)


@given(st.none() | readings, st.lists(readings, min_size=1, max_size=4))
def test_whatever_is_written_nothing_is_opened_but_bounded_trunks(
    first: Reading | None, later: list[Reading]
) -> None:
    """Each reading is followed in turn, as a panel in foreign hands would write them."""
    before = judged(None, first).reading if first else None
    for now in later:
        found = judged(before, now)
        if before is not None:
            was = with_derived(RULES, derive(before, RULES, OWN))
            new = with_derived(RULES, derive(found.reading, RULES, OWN))
            for ports in (ports for service in was.services for ports in service.ports):
                for port in (ports.first, ports.last):
                    assert any(
                        port in held and held.protocol is ports.protocol
                        for service in new.services
                        for held in service.ports
                    )
        derived = derive(found.reading, RULES, OWN)
        assert not any(each.broad for each in derived.exceptions)
        spaces = [each.exception.prefixes for each in derived.exceptions]
        public = AddressSpace.union(spaces) - space("10.0.0.0/8", "172.16.0.0/12")
        assert public.ipv4.size <= MOST_ADDRESSES[Family.IPV4]
        assert {one.guard for one in found.refusals} <= {
            Guard.UNFENCED,
            Guard.BROAD_TRUNK,
            Guard.MANY_TRUNKS,
        }
        before = found.reading
