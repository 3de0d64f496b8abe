"""The nftables backend on a real kernel, in a network namespace of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from geofence.apply import apply_ruleset, plan_for
from geofence.backends.nftables import elements, encoding, messages, new_backend, uapi
from geofence.backends.nftables.backend import NftablesBackend
from geofence.backends.nftables.connection import BatchMessage, NftConnection, batch_size, connected
from geofence.backends.nftables.messages import SetContent
from geofence.backends.nftables.uapi import Message
from geofence.errors import BackendError, BackendUnavailable
from geofence.lab.host import Host
from geofence.merge import merge
from geofence.model.plan import Observed
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import LocalNetwork, Role, Ruleset, SetKey
from geofence.netlink.attributes import nested, number, string, values
from geofence.netlink.messages import CREATE
from geofence.plan.drift import differences
from tests.support.values import JAPAN, RTP, SIP, country, policy, prefix, space

BACKEND = NftablesBackend()
RULESET = merge(policy(), JAPAN)
OTHER = merge(policy(), {country("JP"): space("203.0.113.0/24", "192.0.2.0/25", "2001:db8:2::/48")})
ONE_LESS = merge(policy(services=(SIP,)), {country("JP"): space("203.0.113.0/24")})
"""A service less, and another list."""
LAN = (LocalNetwork("eth1", prefix("10.1.0.0/24")), LocalNetwork("eth1", prefix("fd00:9::/64")))
SMALL = replace(merge(policy(services=(SIP,), local=space()), JAPAN), local=LAN)
LISTED = Path(__file__).with_name("listed.nft").read_text(encoding="utf-8")
LISTED_BEFORE = Path(__file__).with_name("listed_before_floods.nft").read_text(encoding="utf-8")
"""The same fence by geofence of before it remembered where floods go."""

OTHERS = """
table inet filter {
	set blocked {
		type ipv4_addr
		flags interval
		elements = { 192.0.2.128/25 }
	}

	chain input {
		type filter hook input priority filter; policy accept;
		ip saddr @blocked counter packets 0 bytes 0 drop
	}
}
table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		udp dport 5060 dnat to 10.1.2.3
	}
}
table ip geofence {
	chain prerouting {
		type filter hook prerouting priority mangle; policy accept;
	}
}
"""


@pytest.fixture(autouse=True)
def _in_a_namespace(host: Host) -> None:
    """Every test here is in one."""


def commit(desired: Ruleset) -> None:
    BACKEND.commit(plan_for(BACKEND, desired))


def listed(host: Host) -> str:
    return host.run("nft", "list", "ruleset")


def nft(host: Host, command: str) -> None:
    host.run("nft", "-f", "-", stdin=command)


def ground(numbers: int, family: Family = Family.IPV4) -> AddressSpace:
    """Prefixes of which no two touch."""
    step = (1 << family.bits) // numbers
    firsts = [step * number for number in range(numbers)]
    content = PrefixSet.of_ranges(family, firsts, [first + step // 2 for first in firsts])
    return replace(AddressSpace(), **{family.value: content})


def test_the_package_gives_the_backend() -> None:
    assert isinstance(new_backend(), NftablesBackend)


def test_an_empty_kernel_is_observed_as_empty() -> None:
    assert BACKEND.observe() == Observed()
    assert not BACKEND.remove()


def test_from_nothing_to_the_whole_fence_and_back(host: Host) -> None:
    nft(host, OTHERS)
    before = listed(host)
    commit(RULESET)
    seen = BACKEND.observe()
    assert seen.sets == RULESET.sets
    assert seen.rules == BACKEND.rules(RULESET)
    assert seen.dropped == {"sip": (0, 0), "rtp": (0, 0)}
    assert seen.debris == ()
    assert plan_for(BACKEND, RULESET).is_empty
    assert listed(host).startswith(before)
    assert BACKEND.remove()
    assert listed(host) == before
    assert not BACKEND.remove()


def test_the_table_as_nft_prints_it_is_commented_and_clean(host: Host) -> None:
    commit(SMALL)
    assert listed(host) == LISTED


def test_the_fence_of_an_older_version_is_seen_as_another_and_replaced(host: Host) -> None:
    nft(host, LISTED_BEFORE)
    found = plan_for(BACKEND, SMALL)
    assert found.observed.sets == SMALL.sets
    assert found.observed.fenced == frozenset(Family)
    assert not found.observed.foreign
    assert found.rules_differ
    commit(SMALL)
    assert plan_for(BACKEND, SMALL).is_empty


def test_the_table_as_nft_prints_it_can_be_loaded(host: Host) -> None:
    commit(RULESET)
    commit(OTHER)
    text = listed(host)
    assert "set allow4/2 {" in text
    with Host("other") as other, other.entered():
        nft(other, text)
        assert listed(other) == text
        assert plan_for(BACKEND, OTHER).is_empty


def test_committing_again_changes_nothing(host: Host) -> None:
    commit(RULESET)
    before = BACKEND.observe()
    text = listed(host)
    commit(RULESET)
    assert BACKEND.observe() == before
    commit(RULESET)
    assert listed(host) == text


def test_changed_sets_are_replaced_and_others_are_not(host: Host) -> None:
    commit(RULESET)
    handle = host.run("nft", "--handle", "list", "set", "inet", "geofence", "except4-sip")
    for desired in (OTHER, RULESET, OTHER):
        commit(desired)
        assert plan_for(BACKEND, desired).is_empty
    again = host.run("nft", "--handle", "list", "set", "inet", "geofence", "except4-sip")
    assert again == handle


def test_counters_survive_changed_sets_and_rules(host: Host) -> None:
    commit(RULESET)
    BACKEND.remove()
    nft(
        host,
        "add table inet geofence\nadd counter inet geofence dropped-sip { packets 7 bytes 700; }\n",
    )
    for desired in (RULESET, OTHER, merge(policy(interfaces=("lo", "eth7")), JAPAN)):
        commit(desired)
        seen = BACKEND.observe()
        assert seen.dropped == {"sip": (7, 700), "rtp": (0, 0)}


def test_a_removed_service_takes_its_chain_and_sets_along(host: Host) -> None:
    commit(RULESET)
    smaller = merge(policy(services=(SIP,)), JAPAN)
    commit(smaller)
    assert plan_for(BACKEND, smaller).is_empty
    assert "rtp" not in listed(host)


def test_services_may_be_called_anything() -> None:
    """Also words of nft's language, and what geofence calls its own objects."""
    names = ("tcp", "drop", "prerouting", "near4", "3cx", "dropped-sip", "x" * 100)
    services = tuple(
        replace(RTP, name=name, ports=(replace(RTP.ports[0], first=port, last=port),))
        for port, name in enumerate(names, start=1)
    )
    desired = merge(policy(services=services), JAPAN)
    commit(desired)
    assert plan_for(BACKEND, desired).is_empty


def test_sets_hold_nothing_and_everything() -> None:
    full = AddressSpace(AddressSpace().ipv4.complement(), AddressSpace().ipv6.complement())
    for content in (
        AddressSpace(),
        full,
        replace(full, ipv6=PrefixSet(Family.IPV6)),
        space("::/0"),
    ):
        desired = merge(policy(), {country("JP"): content})
        commit(desired)
        assert plan_for(BACKEND, desired).is_empty


def test_a_ruleset_without_services_is_held() -> None:
    for before in (RULESET, Ruleset()):
        commit(before)
        commit(Ruleset())
        assert plan_for(BACKEND, Ruleset()).is_empty


SERVICE_PARTS = (
    *("arrived", "known", "fence", "out", "via"),
    *("ban", "denied", "noted4", "noted6", "flood"),
)
NO_BASE_CHAIN = "flush chain inet geofence prerouting\ndelete chain inet geofence prerouting\n"
NO_RULES = "".join(
    f"flush chain inet geofence {part}-{service}\n"
    for part in SERVICE_PARTS
    for service in ("sip", "rtp")
)
ASLEEP = "add table inet geofence { flags dormant; }"
DRIFT = {
    "table deleted": ("rules", "delete table inet geofence"),
    "table flushed": ("rules", "flush table inet geofence"),
    "table asleep": ("rules", ASLEEP),
    "chain flushed": ("rules", "flush chain inet geofence fence-sip"),
    "base chain flushed": ("rules", "flush chain inet geofence prerouting"),
    "base chain deleted": ("rules", NO_BASE_CHAIN),
    "base chain unbound": ("rules", NO_BASE_CHAIN + "add chain inet geofence prerouting"),
    "base chain bound elsewhere": (
        "rules",
        NO_BASE_CHAIN
        + "add chain inet geofence prerouting { type filter hook prerouting priority 0; }",
    ),
    "policy changed": ("rules", "add chain inet geofence prerouting { policy drop; }"),
    "rule put in front": ("rules", "insert rule inet geofence fence-sip accept"),
    "rule put behind": ("rules", "add rule inet geofence prerouting udp dport 5060 accept"),
    "chain of a hook": (
        "rules",
        "add chain inet geofence mine { type filter hook input priority 0; }",
    ),
    "set flushed": ("sets", "flush set inet geofence allow4"),
    "element added": ("sets", "add element inet geofence allow4 { 203.0.113.0/24 }"),
    "IPv6 element added": ("sets", "add element inet geofence except6-sip { 2001:db8:bad::/48 }"),
    "element deleted": ("sets", "delete element inet geofence allow4 { 192.0.2.0/24 }"),
    "set deleted": ("sets", NO_RULES + "delete set inet geofence allow4"),
    "set of another kind": (
        "sets",
        NO_RULES
        + "delete set inet geofence allow4\n"
        + "add set inet geofence allow4 { type ipv4_addr; flags interval, timeout; }\n"
        + "add rule inet geofence fence-sip ip saddr @allow4 return",
    ),
    "enclosing_networks flushed": ("debris", "flush set inet geofence near4-sip"),
    "enclosing_networks of IPv6 flushed": ("debris", "flush set inet geofence near6-rtp"),
    "enclosing_networks moved": (
        "debris",
        """
delete element inet geofence near4-sip { 192.0.0.0 }
add element inet geofence near4-sip { 203.0.0.0 }
""",
    ),
    "half a set": ("debris", "add set inet geofence allow4/2 { type ipv4_addr; flags interval; }"),
    "foreign set": ("debris", "add set inet geofence mine { type ipv4_addr; }"),
    "foreign chain": ("debris", "add chain inet geofence mine"),
    "empty chain": ("debris", "add chain inet geofence fence-old"),
    "counter deleted": ("rules", NO_RULES + "delete counter inet geofence dropped-sip"),
    "foreign counter": ("debris", "add counter inet geofence mine"),
    "unused counter": ("debris", "add counter inet geofence dropped-old"),
    "foreign object": ("debris", "add quota inet geofence mine { 1 mbytes; }"),
    "foreign ruleset": (
        "debris",
        """
add chain inet geofence mine
add map inet geofence verdicts { type ipv4_addr : verdict; }
add element inet geofence verdicts { 192.0.2.1 : jump mine }
add rule inet geofence fence-sip ip saddr vmap @verdicts
add counter inet geofence mine
add rule inet geofence mine counter name mine ip saddr { 192.0.2.1, 192.0.2.9 } accept
add rule inet geofence fence-sip jump { accept; }
""",
    ),
}
"""What others do to the table, and which part of the plan has to say so."""


@pytest.mark.parametrize("case", DRIFT)
def test_drift_is_seen_and_repaired(host: Host, case: str) -> None:
    where, done = DRIFT[case]
    nft(host, OTHERS)
    commit(RULESET)
    whole = listed(host)
    nft(host, done)
    heal(RULESET, where)
    BACKEND.remove()
    commit(RULESET)
    assert listed(host) == whole


def heal(desired: Ruleset, where: str) -> None:
    broken = plan_for(BACKEND, desired)
    told = {
        "sets": broken.set_changes,
        "rules": broken.rules_differ,
        "debris": broken.observed.debris,
    }
    assert told[where]
    assert differences(broken)
    BACKEND.commit(broken)
    assert plan_for(BACKEND, desired).is_empty


def test_a_dormant_table_without_its_base_chain_is_repaired(host: Host) -> None:
    commit(RULESET)
    nft(host, NO_BASE_CHAIN)
    nft(host, ASLEEP)
    heal(RULESET, "rules")


def test_a_catch_all_element_is_seen_and_repaired() -> None:
    """nft 1.0.6 crashes on it, newer ones write it: ``add element … { * }``."""
    commit(RULESET)
    catchall = nested(
        uapi.LIST_ELEM, number(uapi.ElementAttribute.FLAGS, uapi.ElementFlag.CATCHALL)
    )
    body = string(uapi.ElementListAttribute.TABLE, "geofence") + string(
        uapi.ElementListAttribute.SET, "allow4"
    )
    body += nested(uapi.ElementListAttribute.ELEMENTS, catchall)
    with NftConnection() as netlink:
        netlink.transact([BatchMessage(uapi.Message.NEWSETELEM, CREATE, body, "everything else")])
    heal(RULESET, "sets")


def test_rules_in_another_order_are_seen_and_repaired(host: Host) -> None:
    commit(SMALL)
    rules = host.run("nft", "--handle", "list", "chain", "inet", "geofence", "fence-sip")
    known = next(line for line in rules.splitlines() if "ct label 101" in line)
    rule, _, handle = known.strip().partition(" # handle ")
    nft(host, f"delete rule inet geofence fence-sip handle {handle}")
    nft(host, f"add rule inet geofence fence-sip {rule}")
    broken = plan_for(BACKEND, SMALL)
    assert broken.rules_differ
    assert not broken.rules_added
    commit(SMALL)
    assert plan_for(BACKEND, SMALL).is_empty


def test_changes_after_planning_are_repaired(host: Host) -> None:
    commit(RULESET)
    made = plan_for(BACKEND, OTHER)
    nft(host, "delete table inet geofence")
    BACKEND.commit(made)
    assert plan_for(BACKEND, OTHER).is_empty


class Killed(BaseException):
    """Stands for a signal that cannot be caught."""


@pytest.fixture
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that sends little at once, as in a user namespace with large sets."""
    monkeypatch.setattr(NftConnection, "room_for", lambda _, made: batch_size(made) <= 70_000)


@pytest.mark.usefixtures("_narrow")
def test_large_sets_go_through_a_narrow_socket() -> None:
    for desired in (ground(9_000), ground(5_000), ground(8_000, Family.IPV6)):
        ruleset = merge(policy(), {country("JP"): desired})
        commit(ruleset)
        assert plan_for(BACKEND, ruleset).is_empty


def kill_after(monkeypatch: pytest.MonkeyPatch, survived: int) -> None:
    """Let so many transactions be carried out, and none after them."""
    transact = NftConnection.transact
    left = iter(range(survived))

    def until_killed(*args: object, **more: object) -> None:
        if next(left, None) is None:
            raise Killed
        transact(*args, **more)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(NftConnection, "transact", until_killed)


@pytest.mark.parametrize("socket_is", ["wide", "narrow"])
def test_killed_after_any_transaction_the_fence_is_the_old_or_the_new(
    request: pytest.FixtureRequest, socket_is: str
) -> None:
    if socket_is == "narrow":
        request.getfixturevalue("_narrow")
    old, new = (merge(policy(), {country("JP"): ground(count)}) for count in (6_000, 5_000))
    outcomes: list[bool] = []
    for survived in range(1, 20):
        commit(old)
        with pytest.MonkeyPatch.context() as patched:
            kill_after(patched, survived)
            try:
                commit(new)
            except Killed:
                outcomes.append(_fence_is(old, new))
            else:
                break
        assert plan_for(BACKEND, new).is_empty == (not BACKEND.observe().debris and outcomes[-1])
        commit(new)
        assert plan_for(BACKEND, new).is_empty
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == ({True} if socket_is == "wide" else {False, True})


@pytest.mark.parametrize("former", [SMALL, ONE_LESS])
@pytest.mark.parametrize("desired", [SMALL, ONE_LESS, RULESET, OTHER, Ruleset()])
def test_a_run_killed_after_its_first_transaction_is_followed_by_any(
    monkeypatch: pytest.MonkeyPatch, host: Host, former: Ruleset, desired: Ruleset
) -> None:
    killed_once(monkeypatch, RULESET, former)
    left = plan_for(BACKEND, former)
    assert left.only_tidies
    assert not left.is_empty
    with monkeypatch.context() as patched:
        kill_after(patched, 1)
        with pytest.raises(Killed):
            commit(OTHER)
    assert BACKEND.observe().rules == BACKEND.rules(OTHER)
    text = listed(host)
    assert "set gate/2 {" in text
    with Host("other") as other, other.entered():
        nft(other, text)
        assert listed(other) == text
    commit(desired)
    assert plan_for(BACKEND, desired).is_empty
    assert "gate" not in listed(host)


def test_a_run_killed_after_its_first_transaction_is_ended_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed_once(monkeypatch, RULESET, ONE_LESS)
    commit(ONE_LESS)
    assert plan_for(BACKEND, ONE_LESS).is_empty


@pytest.mark.parametrize("number", [1, 2])
def test_where_tidying_fails_the_fence_is_the_new_one_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    commit(RULESET)
    transact = NftConnection.transact
    calls = count()

    def failing(*args: object) -> None:
        if next(calls) == number:
            raise BackendError("No memory.")
        transact(*args)  # type: ignore[arg-type]  # passed on as they come

    with monkeypatch.context() as patched:
        patched.setattr(NftConnection, "transact", failing)
        applied = apply_ruleset(BACKEND, ONE_LESS)
    assert "could not be removed: No memory. The next run" in applied.untidy
    assert plan_for(BACKEND, ONE_LESS).only_tidies
    assert apply_ruleset(BACKEND, ONE_LESS).untidy == ""
    assert plan_for(BACKEND, ONE_LESS).is_empty


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("done", ["delete table inet geofence", "flush ruleset"])
def test_sets_flushed_during_a_commit_are_made_again(
    monkeypatch: pytest.MonkeyPatch, host: Host, done: str, number: int
) -> None:
    commit(RULESET)
    transact = NftConnection.transact
    calls = count(1)

    def disturbed(*args: object) -> None:
        transact(*args)  # type: ignore[arg-type]  # passed on as they come
        if next(calls) == number:
            nft(host, done)

    monkeypatch.setattr(NftConnection, "transact", disturbed)
    commit(OTHER)
    assert plan_for(BACKEND, OTHER).is_empty


def test_beside_a_base_chain_that_is_bound_otherwise_sets_are_filled_first(
    monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    """It may fence all the same, so nobody is to be shut out while they cannot be searched."""
    commit(RULESET)
    saved = listed(host).replace("priority mangle", "priority mangle + 1")
    nft(host, f"flush ruleset\n{saved}")
    made: list[set[int]] = []
    transact = NftConnection.transact

    def watched(
        self: NftConnection, messages: Sequence[BatchMessage], generation: int | None = None
    ) -> None:
        transact(self, messages, generation)
        made.append({message.kind for message in messages})

    monkeypatch.setattr(NftConnection, "transact", watched)
    commit(OTHER)
    assert plan_for(BACKEND, OTHER).is_empty
    assert made[0] == {Message.NEWTABLE, Message.NEWSET, Message.NEWSETELEM}
    assert Message.NEWSETELEM not in made[1]


def test_a_table_that_was_dormant_continues_counting(host: Host) -> None:
    commit(RULESET)
    saved = listed(host).replace("packets 0 bytes 0", "packets 7 bytes 700")
    nft(host, f"flush ruleset\n{saved}")
    nft(host, ASLEEP)
    heal(RULESET, "rules")
    assert set(BACKEND.observe().dropped.values()) == {(7, 700)}


def transactions(monkeypatch: pytest.MonkeyPatch, wanted: Ruleset) -> list[Sequence[BatchMessage]]:
    """The transactions by which a ruleset is committed."""
    carried_out: list[Sequence[BatchMessage]] = []
    transact = NftConnection.transact

    def watched(
        self: NftConnection, messages: Sequence[BatchMessage], generation: int | None = None
    ) -> None:
        transact(self, messages, generation)
        carried_out.append(messages)

    monkeypatch.setattr(NftConnection, "transact", watched)
    commit(wanted)
    return carried_out


@pytest.mark.parametrize("before", [RULESET, SMALL])
def test_all_that_is_new_comes_in_one_transaction(
    monkeypatch: pytest.MonkeyPatch, before: Ruleset
) -> None:
    commit(before)
    carried_out = transactions(monkeypatch, OTHER)

    assert carried_out[0][-1].about == "elements of set gate"
    first, *others = ({message.kind for message in messages} for messages in carried_out)
    new = {Message.NEWTABLE, Message.NEWSET, Message.NEWSETELEM, Message.NEWCHAIN, Message.NEWRULE}
    assert new <= first <= new | {Message.NEWOBJ}
    assert len(others) == 2
    assert not {Message.NEWSET, Message.NEWSETELEM, Message.NEWCHAIN, Message.NEWOBJ} & others[0]
    assert others[1] == {Message.DELSET}


def test_sets_are_full_before_the_first_rule_of_an_empty_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled, ruled = transactions(monkeypatch, OTHER)

    assert {message.kind for message in filled} == {
        Message.NEWTABLE,
        Message.NEWSET,
        Message.NEWSETELEM,
    }
    assert not {message.kind for message in ruled} & {Message.NEWSET, Message.NEWSETELEM}
    assert not any("gate" in message.about for message in (*filled, *ruled))


def test_a_kernel_that_refuses_the_first_rules_stays_empty(
    monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    monkeypatch.setattr(encoding, "DESTINATION_PORT", (2, 200))

    backend = NftablesBackend()

    with pytest.raises(BackendError, match="The kernel is unchanged"):
        backend.commit(plan_for(backend, OTHER))

    assert listed(host) == ""


def test_what_came_between_the_first_two_transactions_is_kept(
    monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    transact = NftConnection.transact

    def disturbed(
        self: NftConnection, messages: Sequence[BatchMessage], generation: int | None = None
    ) -> None:
        transact(self, messages, generation)
        if messages[-1].kind in (Message.NEWSET, Message.NEWSETELEM):
            nft(host, "add table inet other")

    monkeypatch.setattr(NftConnection, "transact", disturbed)
    commit(OTHER)

    assert "table inet other" in listed(host)
    assert plan_for(NftablesBackend(), OTHER).is_empty


def test_a_kernel_that_holds_more_than_was_written_is_not_taken_for_it(host: Host) -> None:
    backend = NftablesBackend()
    backend.commit(plan_for(backend, OTHER))
    written = backend.observe()
    assert written == NftablesBackend().observe()
    changes = (
        "insert rule inet geofence input accept",
        "add chain inet geofence further",
        "add set inet geofence further { type ipv4_addr; }",
        "add counter inet geofence further",
        "add element inet geofence ban4 { 192.0.2.1 }",
        "add table inet geofence { flags dormant; }",
    )
    for change in changes:
        nft(host, change)
        found = backend.observe()
        assert found != written
        assert found == NftablesBackend().observe()


def test_a_refusal_of_the_last_transaction_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    commit(RULESET)
    before = listed(host)
    (wrong,) = elements.encode(space("10.0.0.0/8").ipv4)
    monkeypatch.setattr(elements, "EVERY_FAMILY", wrong)
    with pytest.raises(
        BackendError, match=r'refused "elements of set gate": .*\. The kernel is unchanged'
    ):
        commit(OTHER)
    assert listed(host) == before


def test_remains_of_many_killed_runs_are_removed(host: Host) -> None:
    commit(RULESET)
    for index in range(2, 30):
        nft(host, f"add set inet geofence allow4/{index} {{ type ipv4_addr; flags interval; }}")
    assert len(BACKEND.observe().debris) == 28
    commit(OTHER)
    assert plan_for(BACKEND, OTHER).is_empty


def _fence_is(old: Ruleset, new: Ruleset) -> bool:
    """Whether it is the new one; the old one otherwise, and nothing else ever."""
    seen = BACKEND.observe()
    assert (seen.rules, seen.sets) in [(BACKEND.rules(each), each.sets) for each in (old, new)]
    parts = (*(f"{part}-" for part in SERVICE_PARTS), "translated", "marking")
    chains = tuple(f"chain {part}" for part in parts)
    former = ("set allow", "set near", "set flood", "set gate", *chains)
    assert not [left for left in seen.debris if not left.startswith(former)]
    return seen.sets == new.sets


def killed_once(monkeypatch: pytest.MonkeyPatch, old: Ruleset, new: Ruleset) -> None:
    """A run that was killed after what is new was made."""
    commit(old)
    with monkeypatch.context() as patched:
        kill_after(patched, 1)
        with pytest.raises(Killed):
            commit(new)


SHUT_GATE = "flush set inet geofence gate"
IN_FRONT = "insert rule inet geofence prerouting udp dport 5060 accept"
BEFORE_THE_END = "insert rule inet geofence prerouting position {end} udp dport 5060 accept"
NO_END = "delete rule inet geofence prerouting handle {end}"
TO_THE_OLD = "insert rule inet geofence fence-sip/2 goto fence-sip"
ANOTHER_WAY_IN = """
add chain inet geofence fence-x {{ type filter hook prerouting priority 0; }}
add rule inet geofence fence-x goto fence-sip
"""


@pytest.mark.parametrize(
    "done", [SHUT_GATE, IN_FRONT, BEFORE_THE_END, NO_END, TO_THE_OLD, ANOTHER_WAY_IN]
)
def test_changes_at_an_open_gate_are_seen_and_repaired(
    monkeypatch: pytest.MonkeyPatch, host: Host, done: str
) -> None:
    killed_once(monkeypatch, RULESET, OTHER)
    left = plan_for(BACKEND, OTHER)
    assert left.observed.debris
    assert not left.rules_differ
    assert not left.set_changes
    chain = host.run("nft", "--handle", "list", "chain", "inet", "geofence", "prerouting")
    (end,) = (line for line in chain.splitlines() if "@gate return" in line)
    nft(host, done.format(end=end.rpartition(" ")[2]))
    heal(OTHER, "rules")


def test_behind_a_closed_gate_the_fence_is_down(
    monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    nft(host, "add table inet geofence")  # where there is none, no gate is needed
    with monkeypatch.context() as patched:
        kill_after(patched, 1)
        with pytest.raises(Killed):
            commit(RULESET)
    assert BACKEND.observe().fenced == set(Family)
    nft(host, SHUT_GATE)
    assert not BACKEND.observe().fenced
    heal(RULESET, "rules")
    assert BACKEND.observe().fenced == set(Family)


def test_root_of_a_user_namespace_fills_sets_beyond_its_send_buffer() -> None:
    """There a socket sends no more at once than ``net.core.wmem_max`` allows."""
    with socket.socket() as asking:  # older kernels tell the setting to the first namespace alone
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
        limit = asking.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    numbers = limit // 64 // 3 + 1_000
    program = f"""
from geofence.backends.nftables.connection import NftConnection
from tests.backends.nftables.test_backend import BACKEND, commit, ground
from tests.support.values import country, policy
from geofence.merge import merge
from geofence.model.prefixes import Family
whole = ground({numbers}, Family.IPV6)
with NftConnection() as netlink:
    assert not netlink._netlink.make_room_for(3 * 64 * {numbers})
desired = merge(policy(local=whole), {{country("JP"): whole}})
commit(desired)
print(BACKEND.observe().sets == desired.sets)
"""
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"


CHANGES_ALL_THE_TIME = """
import subprocess, time
while True:
    begun = time.monotonic()
    for verb in ("add", "delete"):
        subprocess.run(["nft", verb, "table", "ip", "busy"], check=True)
    time.sleep(max(0.05, 6 * (time.monotonic() - begun)))
"""
"""Pauses longer where the machine is busy, since what is tested is then slower by as much."""


def test_others_may_change_nftables_all_the_time(host: Host) -> None:
    busy = host.start([sys.executable, "-c", CHANGES_ALL_THE_TIME])
    try:
        for numbers in (3_000, 2_000, 3_000):
            desired = merge(policy(), {country("JP"): ground(numbers)})
            commit(desired)
            assert plan_for(BACKEND, desired).is_empty
    finally:
        busy.kill()
        busy.communicate()


def test_a_refused_object_is_named_and_nothing_changes(host: Host) -> None:
    commit(RULESET)
    before = listed(host)
    with NftConnection() as netlink:
        key = SetKey(Role.ALLOW, "", Family.IPV6)
        wrong = messages.new_set("allow4", SetContent.of(key, space("2001:db8::/32").ipv6))
        with pytest.raises(
            BackendError, match=r'refused "set allow4": .*\. The kernel is unchanged'
        ):
            netlink.transact([messages.new_table(), *wrong])
    assert listed(host) == before


def test_without_privilege_the_remedy_is_named() -> None:
    program = (
        "from geofence.backends.nftables import new_backend\n"
        "from geofence.errors import BackendUnavailable\n"
        "print(new_backend().obstacle())\n"
        "for call in (new_backend().observe, new_backend().remove):\n"
        "    try: call()\n"
        "    except BackendUnavailable as error: print(error)\n"
    )
    done = subprocess.run(
        ["setpriv", "--bounding-set=-net_admin", "--", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    told = done.stdout.splitlines()
    assert len(told) == 3
    assert all("Run geofence as root" in line for line in told)


def test_with_privilege_the_backend_is_available() -> None:
    assert BACKEND.obstacle() is None


def test_an_answer_that_is_cut_short_is_named() -> None:
    with pytest.raises(BackendError, match=r"nf_tables makes no sense: .* cut short"), connected():
        values(string(1, "geofence")[:-4])


def test_without_nf_tables_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geofence.backends.nftables.connection.NETLINK_NETFILTER", 31)
    assert "modprobe nf_tables" in str(BACKEND.obstacle())
    with pytest.raises(BackendUnavailable, match="modprobe nf_tables"):
        BACKEND.observe()
    monkeypatch.undo()
    monkeypatch.setattr("geofence.backends.nftables.uapi.SUBSYSTEM", 13)
    assert "modprobe nf_tables" in str(BACKEND.obstacle())
