"""Large sets: prefixes by length in hashes instead of intervals, from one form to the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.apply import apply_ruleset, plan_for
from geofence.backends.nftables import uapi
from geofence.backends.nftables.backend import NftablesBackend
from geofence.backends.nftables.commit import _TableChange
from geofence.backends.nftables.connection import BatchMessage, NftConnection, connected
from geofence.backends.nftables.forms import MOST_INTERVALS, Forms, divided
from geofence.backends.nftables.kernel_sets import LengthKey, key_of, set_of
from geofence.backends.nftables.rules import Compiler
from geofence.lab.host import Host
from geofence.merge import merge
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet, pack_addresses
from geofence.model.ruleset import Role, Ruleset, SetKey
from geofence.netlink.attributes import nested, number, string
from geofence.netlink.messages import CREATE
from geofence.plan.drift import differences
from tests.support.values import country, families, policy, prefix_sets, space

ALLOW4 = SetKey(Role.ALLOW, "", Family.IPV4)
DIVIDED, WHOLE = NftablesBackend(0), NftablesBackend()
JAPAN = space("192.0.2.0/24", "198.51.100.0/25", "59.0.0.0/8", "2001:db8:1::/48", "2400::/12")
RULESET = merge(policy(), {country("JP"): JAPAN})
OTHER = merge(policy(), {country("JP"): space("192.0.2.0/25", "203.0.113.0/24", "2400::/16")})


def nft(host: Host, command: str) -> None:
    host.run("nft", "-f", "-", stdin=command)


def sets(host: Host) -> set[str]:
    """Names of the sets that hold what is allowed."""
    lines = host.run("nft", "list", "table", "inet", "geofence").splitlines()
    return {line.split()[1] for line in lines if line.strip().startswith("set allow")}


@given(families.flatmap(prefix_sets), st.randoms())
def test_prefixes_by_length_are_the_set_in_whatever_order(content: PrefixSet, dice: Random) -> None:
    key, width = SetKey(Role.ALLOW, "", content.family), content.family.bits // 8
    forms = Forms(0)
    found = divided(key, content)
    shuffled = {}
    for part, packed in found.items():
        rows = [packed[at : at + width] for at in range(0, len(packed), width)]
        dice.shuffle(rows)
        shuffled[part] = b"".join(rows)
    assert forms.whole(key, shuffled) == content
    wanted = forms.wanted(Ruleset(sets={key: content}))
    assert wanted == ({**found} if content else {key: content})
    assert forms.whole(key, shuffled) == content


def test_a_missing_an_added_and_a_moved_prefix_are_told_from_what_is_known() -> None:
    content = space("192.0.2.0/24", "198.51.100.0/24", "203.0.113.128/25").ipv4
    forms = Forms(0)
    forms.wanted(Ruleset(sets={ALLOW4: content}))
    held = divided(ALLOW4, content)
    longer, shorter = LengthKey(ALLOW4, 25), LengthKey(ALLOW4, 24)
    cut = {**held, shorter: held[shorter][:4]}
    assert forms.whole(ALLOW4, cut) == content - space("198.51.100.0/24").ipv4
    twice = {**held, shorter: held[shorter][:4] * 2}
    assert forms.whole(ALLOW4, twice) == content - space("198.51.100.0/24").ipv4
    more = {**held, longer: held[longer] + pack_addresses(Family.IPV4, [7 << 24])}
    assert forms.whole(ALLOW4, more) == content | space("7.0.0.0/25").ipv4
    halves = {longer: held[longer] + pack_addresses(Family.IPV4, [0xC0000200, 0xC0000280])}
    moved = {**held, **halves, shorter: held[shorter][4:]}
    assert forms.whole(ALLOW4, moved) == content


def test_only_a_set_beyond_the_limit_is_divided() -> None:
    firsts = list(range(0, (MOST_INTERVALS + 1) << 8, 1 << 8))
    for number_of, is_divided in ((MOST_INTERVALS, False), (MOST_INTERVALS + 1, True)):
        some = firsts[:number_of]
        content = PrefixSet.of_ranges(Family.IPV4, some, [first + 8 for first in some])
        wanted = Forms().wanted(Ruleset(sets={ALLOW4: content}))
        assert (ALLOW4 not in wanted) is is_divided
        assert (LengthKey(ALLOW4, 29) in wanted) is is_divided


@pytest.mark.parametrize(
    "name",
    ["allow4.0", "allow4.33", "allow4.024", "allow4.", "allow4.x", "ban4.24", "denied4.9-sip"],
)
def test_other_names_are_no_part_of_a_large_set(name: str) -> None:
    assert LengthKey.parse(name) is None


@pytest.mark.parametrize("name", ["allow4.24", "allow6.128", "allow6.1-sip", "except4.32-a.b-c"])
def test_names_of_parts_can_be_read_back(name: str) -> None:
    key = LengthKey.parse(name)
    assert key is not None
    assert key.name == name
    assert key_of(set_of(key, f"{name}/7")) == key


@pytest.mark.usefixtures("host")
def test_the_kernel_holds_what_was_written_by_length() -> None:
    apply_ruleset(DIVIDED, RULESET)
    for backend in (DIVIDED, NftablesBackend(0)):
        seen = backend.observe()
        assert seen.sets == RULESET.sets
        assert seen.rules == backend.rules(RULESET)
        assert seen.debris == ()
        assert plan_for(backend, RULESET).is_empty
    assert DIVIDED.keys() == {*RULESET.sets, *RULESET.runtime_keys}
    assert DIVIDED.remove()


def test_a_fence_goes_from_one_form_to_the_other_and_back(host: Host) -> None:
    apply_ruleset(WHOLE, RULESET)
    assert sets(host) == {"allow4", "allow6"}
    for ruleset in (RULESET, OTHER, RULESET):
        plan = plan_for(DIVIDED, ruleset)
        assert plan.rules_differ
        assert apply_ruleset(DIVIDED, ruleset).untidy == ""
        assert "allow4" not in sets(host)
        assert apply_ruleset(WHOLE, ruleset).untidy == ""
        assert sets(host) == {"allow4", "allow6"}
        assert plan_for(WHOLE, ruleset).is_empty


def test_what_does_not_change_stays_with_its_counts(host: Host) -> None:
    apply_ruleset(DIVIDED, RULESET)
    changed = replace(
        RULESET, sets={**RULESET.sets, SetKey(Role.ALLOW, "", Family.IPV6): space("2400::/16").ipv6}
    )
    names = {name for name in sets(host) if name.startswith("allow4")}
    apply_ruleset(DIVIDED, changed)
    assert names <= sets(host)
    assert plan_for(DIVIDED, changed).is_empty


NO_RULES = """
flush chain inet geofence prerouting
flush chain inet geofence fence-sip
flush chain inet geofence fence-rtp
flush chain inet geofence out-sip
flush chain inet geofence out-rtp
"""
DRIFT = {
    "prefix exchanged": (
        "sets",
        """
delete element inet geofence allow4.24 { 192.0.2.0 }
add element inet geofence allow4.24 { 203.0.113.0 }
""",
    ),
    "prefix deleted": ("sets", "delete element inet geofence allow4.24 { 192.0.2.0 }"),
    "flushed": ("sets", "flush set inet geofence allow6.48"),
    "moved out of reach": (
        "sets",
        """
delete element inet geofence allow4.25 { 198.51.100.0 }
add element inet geofence allow4.25 { 192.0.2.0 }
""",
    ),
    "one set deleted": ("sets", NO_RULES + "delete set inet geofence allow4.25"),
    "rules deleted": ("rules", NO_RULES),
    "another length": ("debris", "add set inet geofence allow4.9 { type ipv4_addr; }"),
    "another length that rules ask": (
        "sets",
        """
add set inet geofence allow4.9 { type ipv4_addr; }
add element inet geofence allow4.9 { 8.0.0.0 }
insert rule inet geofence fence-sip ip saddr and 255.128.0.0 @allow4.9 return
""",
    ),
    "intervals beside": (
        "debris",
        """
add set inet geofence allow4 { type ipv4_addr; flags interval; }
add element inet geofence allow4 { 8.0.0.0/9 }
""",
    ),
    "intervals beside that rules ask": (
        "sets",
        """
add set inet geofence allow4 { type ipv4_addr; flags interval; }
add element inet geofence allow4 { 8.0.0.0/9 }
insert rule inet geofence fence-sip ip saddr @allow4 return
""",
    ),
    "half a set": ("debris", "add set inet geofence allow4.24/2 { type ipv4_addr; }"),
    "set of another kind": (
        "debris",
        "add set inet geofence allow4.23 { type ipv4_addr; flags timeout; }",
    ),
    "near flushed": ("debris", "flush set inet geofence near4-sip"),
}


@pytest.mark.parametrize("case", DRIFT)
def test_drift_of_a_large_set_is_seen_and_repaired(host: Host, case: str) -> None:
    where, done = DRIFT[case]
    apply_ruleset(DIVIDED, RULESET)
    before = sets(host)
    nft(host, done)
    for backend in (NftablesBackend(0), DIVIDED):
        broken = plan_for(backend, RULESET)
        told = {
            "sets": broken.set_changes,
            "rules": broken.rules_differ,
            "debris": broken.observed.debris,
        }
        assert told[where], broken
        assert differences(broken)
    DIVIDED.commit(broken)
    assert plan_for(DIVIDED, RULESET).is_empty
    assert {name.partition("/")[0] for name in sets(host)} == before


@pytest.mark.usefixtures("host")
def test_a_prefix_in_two_halves_is_the_same_set() -> None:
    apply_ruleset(DIVIDED, RULESET)
    halves = replace(RULESET, sets={**RULESET.sets, ALLOW4: space("192.0.2.0/24").ipv4})
    apply_ruleset(DIVIDED, halves)
    assert plan_for(NftablesBackend(0), halves).is_empty


@pytest.mark.usefixtures("host")
def test_an_element_that_stands_for_all_addresses_is_seen_and_repaired() -> None:
    apply_ruleset(DIVIDED, RULESET)
    catchall = nested(
        uapi.LIST_ELEM, number(uapi.ElementAttribute.FLAGS, uapi.ElementFlag.CATCHALL)
    )
    body = string(uapi.ElementListAttribute.TABLE, "geofence") + string(
        uapi.ElementListAttribute.SET, "allow4.24"
    )
    body += nested(uapi.ElementListAttribute.ELEMENTS, catchall)
    with NftConnection() as netlink:
        netlink.transact([BatchMessage(uapi.Message.NEWSETELEM, CREATE, body, "everything else")])
    broken = plan_for(DIVIDED, RULESET)
    assert broken.observed.sets[ALLOW4] == PrefixSet(Family.IPV4).complement()
    DIVIDED.commit(broken)
    assert plan_for(DIVIDED, RULESET).is_empty


def test_entries_of_a_large_exception_count_their_packets(host: Host) -> None:
    exceptions = space("192.0.2.0/24", "198.51.100.7/32")
    key = SetKey(Role.EXCEPTION, "sip", Family.IPV4)
    ruleset = replace(RULESET, sets={**RULESET.sets, key: exceptions.ipv4})
    apply_ruleset(DIVIDED, ruleset)
    nft(host, "add rule inet geofence out-sip ip saddr @except4.32-sip")
    found = {(each.first, each.past): each for each in DIVIDED.elements(key)}
    assert found.keys() == {(0xC0000200, 0xC0000300), (0xC6336407, 0xC6336408)}
    assert all((each.packets, each.octets, each.seconds) == (0, 0, None) for each in found.values())
    assert "except4.32-sip" in host.run("nft", "list", "table", "inet", "geofence")
    # With counters, elements are no longer as geofence writes them.
    assert NftablesBackend(0).observe().sets[key] == exceptions.ipv4


def _steps(backend: NftablesBackend, ruleset: Ruleset) -> list[Callable[[], object]]:
    """What a run does that is killed after its first transaction, or after its second."""

    most = 0 if backend is DIVIDED else MOST_INTERVALS

    def once(last: int) -> None:
        with connected() as netlink:
            change = _TableChange(netlink, plan_for(backend, ruleset), Forms(most), Compiler())
            names = change.add()
            if last:
                change.replace(names)

    return [lambda: once(0), lambda: once(1)]


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("killed_after", [0, 1])
@pytest.mark.parametrize("to_divided", [True, False])
def test_a_run_that_is_killed_between_the_forms_is_healed(
    killed_after: int, *, to_divided: bool
) -> None:
    before, after = (WHOLE, DIVIDED) if to_divided else (DIVIDED, WHOLE)
    apply_ruleset(before, RULESET)
    _steps(after, OTHER)[killed_after]()
    seen = NftablesBackend().observe()
    assert seen.sets == OTHER.sets
    assert seen.rules == after.rules(OTHER)
    assert seen.debris
    for backend in (before, after):
        apply_ruleset(backend, RULESET)
        assert plan_for(backend, RULESET).is_empty
        assert backend.observe().debris == ()
        _steps(after, OTHER)[killed_after]()


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("family", list(Family))
def test_a_hundred_thousand_scattered_prefixes_are_listed_in_no_time(family: Family) -> None:
    """In one set of intervals, Linux takes seconds for it."""
    step = 1 << (family.bits - 20)
    firsts = [step * 3 * at for at in range(100_000)]
    lengths = [22 + at % 3 for at in range(100_000)]
    prefixes = [
        Prefix(family, first, length) for first, length in zip(firsts, lengths, strict=True)
    ]
    allowed = replace(AddressSpace(), **{family.value: PrefixSet.of(family, prefixes)})
    ruleset = merge(policy(), {country("JP"): allowed})
    backend = NftablesBackend()
    apply_ruleset(backend, ruleset)
    begun = time.process_time()
    assert backend.observe().sets == ruleset.sets
    assert time.process_time() - begun < 1
