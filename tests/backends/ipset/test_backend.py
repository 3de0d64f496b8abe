"""The ipset backend on a real kernel, in a network namespace of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from geofence.apply import apply_ruleset, plan_for, remove_all
from geofence.backends import registry
from geofence.backends.ipset import iptables
from geofence.backends.ipset.backend import IpsetBackend
from geofence.backends.ipset.iptables import Tool
from geofence.backends.ipset.sets import KernelSets
from geofence.errors import BackendError, BackendUnavailable
from geofence.lab.host import Host
from geofence.merge import merge
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet, address_text
from geofence.model.ruleset import Role, Ruleset, SetKey
from geofence.plan.drift import differences
from tests.support.values import JAPAN, RTP, SIP, country, policy, space

BACKEND = IpsetBackend()
RULESET = merge(policy(), JAPAN)
TWO_LISTS = {country("JP"): space("192.0.2.0/24"), country("RU"): space("95.24.0.0/16")}
ALIKE = (replace(SIP, countries=("JP",)), replace(RTP, countries=("JP",)))
PARTED = (ALIKE[0], replace(RTP, countries=("JP", "RU")))
"""The set that both services shared stays RTP's and becomes wider; SIP leaves it."""


@pytest.fixture(autouse=True)
def host() -> Iterator[Host]:
    with Host("pbx") as made, made.entered():
        yield made


def commit(desired: Ruleset) -> None:
    BACKEND.commit(plan_for(BACKEND, desired))


def saved() -> str:
    """Rules and sets of the namespace, without counters and dates."""
    programs = (["iptables-save"], ["ip6tables-save"], ["ipset", "save"])
    text = "".join(
        subprocess.run(p, capture_output=True, text=True, check=True).stdout for p in programs
    )
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def run_for(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_from_nothing_to_the_whole_fence_and_back() -> None:
    commit(RULESET)
    assert plan_for(BACKEND, RULESET).is_empty
    assert "geofence-allow4" in saved()
    assert BACKEND.remove()
    assert "geofence" not in saved().lower()
    assert not BACKEND.remove()


def test_committing_again_changes_nothing() -> None:
    commit(RULESET)
    before = saved()
    commit(RULESET)
    assert saved() == before


def test_sets_of_every_size_are_held_exactly() -> None:
    for count in (0, 1, 3000, 70_000):
        firsts = [index << 9 for index in range(count)]
        content = PrefixSet.of_ranges(Family.IPV4, firsts, [first + 256 for first in firsts])
        desired = merge(policy(), {country("JP"): AddressSpace(ipv4=content)})
        commit(desired)
        assert plan_for(BACKEND, desired).is_empty


@pytest.mark.parametrize("family", Family)
def test_a_country_in_fewer_lengths_allows_the_same(family: Family) -> None:
    bits = family.bits
    # Lengths from 18 to 25, some prefixes touching, some broad, as a country has them.
    prefixes = [
        Prefix(family, (32 << (bits - 8)) + (at << (bits - 18)), 18 + at % 8) for at in range(400)
    ]
    content = PrefixSet.of(family, prefixes)
    space = AddressSpace.of(prefixes)

    commit(merge(policy(), {country("JP"): space}))

    assert BACKEND.observe().sets[SetKey(Role.ALLOW, "", family)] == content
    name = f"geofence-allow{family.digit}"
    listed = run_for("ipset", "save", name)
    lengths = set(re.findall(r"/(\d+)$", listed, re.MULTILINE))
    assert 1 < len(lengths) < len(set(content.split()[1])) - 2
    edges = {bound + step for bound in content.bounds[::23] for step in (-1, 0)}
    for address in edges:
        tried = ["ipset", "--quiet", "test", name, address_text(family, address)]
        let_in = subprocess.run(tried, check=False).returncode == 0
        assert let_in == (address in content), address_text(family, address)


def test_both_whole_families_can_be_allowed() -> None:
    everything = AddressSpace(AddressSpace().ipv4.complement(), AddressSpace().ipv6.complement())
    desired = merge(policy(), {country("JP"): everything})
    commit(desired)
    assert plan_for(BACKEND, desired).is_empty


def test_a_removed_service_takes_its_chain_and_sets_along() -> None:
    commit(RULESET)
    smaller = merge(policy(services=(SIP,)), JAPAN)
    commit(smaller)
    assert plan_for(BACKEND, smaller).is_empty
    assert "rtp" not in saved()


@pytest.mark.parametrize(
    "harm",
    [
        "iptables -t mangle -F",
        "ip6tables -t mangle -F GEOFENCE-sip",
        "iptables -t mangle -D PREROUTING -j GEOFENCE",
        "iptables -t mangle -I PREROUTING -j ACCEPT",
        "iptables -t mangle -A PREROUTING -j GEOFENCE",
        "iptables -t mangle -I GEOFENCE-sip -j ACCEPT",
        "iptables -t mangle -N GEOFENCE-other",
        "ipset flush geofence-allow4",
        "ipset add geofence-allow4 203.0.113.0/24",
        "ipset add geofence-except6-sip 2001:db8:bad::/48",
        "ipset del geofence-allow4 192.0.2.0/24",
        "ipset add geofence-allow4 192.0.2.7 nomatch",
        "ipset create geofence-allow4+ hash:net",
        "ipset create geofence-allow4-old hash:net",
        "ipset flush geofence-near4-sip",
        "ipset del geofence-near4-rtp 192.0.0.0",
        "ipset del geofence-near6-sip 2001::/16",
        "ipset create geofence-near4-old hash:net",
    ],
)
def test_damage_by_others_is_seen_and_repaired(harm: str) -> None:
    commit(RULESET)
    run(*harm.split())
    broken = plan_for(BACKEND, RULESET)
    assert differences(broken)
    BACKEND.commit(broken)
    assert plan_for(BACKEND, RULESET).is_empty


def test_counters_survive_a_refresh() -> None:
    commit(RULESET)
    replaced = ("-R", "GEOFENCE.drop-sip", "2", "-j", "DROP", "-c", "7", "700")
    run("iptables", "-t", "mangle", *replaced)
    assert BACKEND.observe().dropped["sip"] == (7, 700)
    commit(merge(policy(), {country("JP"): space("203.0.113.0/24")}))
    assert BACKEND.observe().dropped["sip"] == (7, 700)


def test_a_set_of_another_type_under_our_name_is_not_touched() -> None:
    run("ipset", "create", "geofence-allow4", "hash:ip")
    with pytest.raises(BackendError, match="ipset destroy geofence-allow4"):
        BACKEND.observe()


def test_a_set_that_a_foreign_rule_uses_is_named() -> None:
    commit(RULESET)
    run("iptables", "-A", "INPUT", "-m", "set", "--match-set", "geofence-allow4", "src")
    with pytest.raises(BackendError, match="geofence did not make refers to it"):
        BACKEND.remove()


def without(capability: str, statement: str) -> str:
    """What a Python statement about the backend prints in a process that lacks a capability."""
    program = f"from geofence.backends.ipset import new_backend; {statement}"
    done = subprocess.run(
        ["setpriv", f"--bounding-set=-{capability}", "--", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout or done.stderr.splitlines()[-1]


@pytest.mark.parametrize("capability", ["net_admin", "net_raw"])
def test_without_privilege_the_remedy_is_named(capability: str) -> None:
    said = without(capability, "print(new_backend().obstacle())")
    assert f"CAP_{capability.upper()}" in said
    assert "Run geofence as root" in said


def test_unreadable_rules_are_an_error() -> None:
    """As in a unit that may not use raw sockets, with the fence that root has made."""
    commit(RULESET)
    said = without("net_raw", "new_backend().remove()")
    assert said.startswith(
        "geofence.errors.BackendError: The kernel holds a fence that was made with ipset"
    )
    assert "CAP_NET_RAW" in said
    assert plan_for(BACKEND, RULESET).is_empty


def test_unreadable_rules_of_others_are_tolerated() -> None:
    run("ipset", "create", "theirs", "hash:ip")
    in_mangle = ("iptables", "-t", "mangle", "-A", "INPUT")
    run(*in_mangle, "-m", "set", "--match-set", "theirs", "src")
    said = without("net_raw", "new_backend().remove()")
    assert said.startswith("geofence.errors.BackendUnavailable: ")


@pytest.mark.parametrize(("first", "then"), [("nft", "legacy"), ("legacy", "nft")])
def test_rules_left_in_the_other_flavour_are_taken_away(
    first: str, then: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after 'update-alternatives --set iptables'."""
    for flavour in (first, then):
        (tmp_path / flavour).mkdir()
        for name in ("iptables", "ip6tables"):
            for suffix in ("", "-save", "-restore"):
                program = f"/usr/sbin/{name}-{flavour}{suffix}"
                (tmp_path / flavour / f"{name}{suffix}").symlink_to(Path(program).resolve())
    where = "geofence.backends.ipset.iptables._SEARCH_PATH"
    monkeypatch.setattr(where, f"{tmp_path / first}:/usr/sbin:/usr/bin")
    commit(RULESET)
    monkeypatch.setattr(where, f"{tmp_path / then}:/usr/sbin:/usr/bin")
    changed = plan_for(BACKEND, RULESET)
    assert any(line.startswith(f"iptables-{first} ") for line in changed.rules_removed)
    BACKEND.commit(changed)
    assert plan_for(BACKEND, RULESET).is_empty
    kept = subprocess.run(
        [f"iptables-{first}-save", "-t", "mangle"], capture_output=True, text=True, check=True
    )
    assert "GEOFENCE" not in kept.stdout
    BACKEND.remove()
    assert not BACKEND.observe().rules


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geofence.backends.ipset.iptables._SEARCH_PATH", "/nonexistent")
    assert "apt install iptables" in str(BACKEND.obstacle())
    with pytest.raises(BackendUnavailable, match="iptables"):
        BACKEND.observe()


def test_a_kernel_without_ipv6_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the legacy flavour says on Debian 12, booted with ipv6.disable=1."""
    said = "ip6tables-save v1.8.9 (legacy): Cannot initialize: Address family not supported by "
    program = tmp_path / "ip6tables-save"
    program.write_text(f"#!/bin/sh\necho '{said}protocol' >&2\nexit 1\n")
    program.chmod(0o755)
    path = "geofence.backends.ipset.iptables._SEARCH_PATH"
    monkeypatch.setattr(path, f"{tmp_path}:{iptables._SEARCH_PATH}")  # noqa: SLF001
    for asked in (BACKEND.observe, lambda: commit(RULESET)):
        with pytest.raises(BackendUnavailable, match=r'IPv6 .*Set backend = "nftables"'):
            asked()
    assert 'Set backend = "nftables"' in str(BACKEND.obstacle())


def test_comments_of_others_need_not_be_utf8() -> None:
    comment = "日本".encode("euc-jp")
    rule = ["iptables", "-t", "mangle", "-A", "FORWARD", "-m", "comment", "--comment"]
    subprocess.run([*map(str.encode, rule), comment], check=True)
    commit(RULESET)
    assert plan_for(BACKEND, RULESET).is_empty
    assert BACKEND.remove()
    kept = subprocess.run(["iptables-save", "-t", "mangle"], capture_output=True, check=True)
    assert comment in kept.stdout


@pytest.fixture
def unreadable() -> None:
    """A rule beside iptables' own that it cannot tell of, as policy routing has."""
    run("iptables", "-t", "mangle", "-A", "PREROUTING", "-j", "ACCEPT")
    run("nft", "add", "rule", "ip", "mangle", "PREROUTING", "meta", "mark", "set", "0x1")
    assert subprocess.run(["iptables-save"], capture_output=True, check=False).returncode


@pytest.mark.usefixtures("unreadable")
def test_a_rule_that_iptables_cannot_read_is_not_our_fence() -> None:
    other = registry.load("nftables")
    with pytest.raises(BackendUnavailable, match="iptables-save' refused"):
        BACKEND.observe()
    apply_ruleset(other, RULESET)
    assert apply_ruleset(other, RULESET).plan.is_empty
    assert remove_all() == ("nftables",)


def test_a_fence_behind_such_a_rule_is_reported_and_others_are_removed() -> None:
    commit(RULESET)
    run("nft", "add", "rule", "ip", "mangle", "PREROUTING", "meta", "mark", "set", "0x1")
    other = registry.load("nftables")
    other.commit(plan_for(other, RULESET))
    for act in (BACKEND.observe, remove_all):
        with pytest.raises(BackendError, match="The kernel holds a fence that was made with ipset"):
            act()
    assert not other.observe().rules


def test_refused_rules_bring_the_previous_sets_back() -> None:
    commit(RULESET)
    wider = merge(policy(), {country("JP"): space("203.0.113.0/24")})
    with pytest.raises(BackendError, match="iptables-restore' refused"):
        commit(replace(wider, interfaces=("longer-than-any-interface",)))
    assert plan_for(BACKEND, RULESET).is_empty


def test_a_service_that_leaves_a_set_never_uses_its_new_content(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(merge(policy(countries=(), services=ALIKE), TWO_LISTS))
    during: list[list[str]] = []

    def watched(tool: Tool, rules: str) -> None:
        before = where_it_gets_in("95.24.0.1")
        restore(tool, rules)
        if tool.family is Family.IPV4:
            during.extend((before, where_it_gets_in("95.24.0.1")))

    restore = Tool.restore
    monkeypatch.setattr(Tool, "restore", watched)
    commit(merge(policy(countries=(), services=PARTED), TWO_LISTS))
    assert during == [[], []]
    assert where_it_gets_in("95.24.0.1") == ["rtp"]


MOVED = policy(countries=(), services=PARTED, local=space("172.16.0.0/12", "fc00::/7"))
"""Sets that a service leaves, sets of other content, and other rules."""


def test_a_failed_swap_under_the_new_rules_keeps_the_new_sets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(merge(policy(countries=(), services=ALIKE), TWO_LISTS))
    desired = merge(MOVED, TWO_LISTS)

    def failing(sets: KernelSets, one: str, other: str) -> None:
        if other == "geofence-allow4-rtp":
            raise BackendError("It is gone.")
        swap(sets, one, other)

    swap = KernelSets.swap
    monkeypatch.setattr(KernelSets, "swap", failing)
    with pytest.raises(BackendError, match="It is gone"):
        commit(desired)
    monkeypatch.undo()
    left = plan_for(BACKEND, desired)
    names = [change.key.name for change in left.set_changes if change.key.family is Family.IPV4]
    assert names == ["allow4-rtp"]
    assert not [rule for rule in left.rules_added if rule.startswith("iptables ")]
    BACKEND.commit(left)
    assert plan_for(BACKEND, desired).is_empty


def test_where_one_family_is_refused_each_is_the_old_or_the_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    former = merge(policy(countries=(), services=ALIKE), TWO_LISTS)
    desired = merge(MOVED, TWO_LISTS)
    commit(former)

    def refused(tool: Tool, rules: str) -> None:
        if tool.family is Family.IPV6:
            raise BackendError("Not this family.")
        restore(tool, rules)

    restore = Tool.restore
    monkeypatch.setattr(Tool, "restore", refused)
    with pytest.raises(BackendError, match="Not this family"):
        commit(desired)
    monkeypatch.undo()
    for ruleset, whole in ((desired, Family.IPV4), (former, Family.IPV6)):
        left = plan_for(BACKEND, ruleset)
        program = {Family.IPV4: "iptables ", Family.IPV6: "ip6tables "}[whole]
        needed = [change.key for change in left.set_changes if change.after is not None]
        assert whole not in {key.family for key in needed}
        assert not [rule for rule in left.rules_added if rule.startswith(program)]
    commit(desired)
    assert plan_for(BACKEND, desired).is_empty


def where_it_gets_in(address: str) -> list[str]:
    """The services whose rules name a set of allowed countries that holds the address."""
    rule = r"-A GEOFENCE-(\w+) -m set --match-set (geofence-allow4\S*) src -m comment"
    found = re.findall(rule, saved())
    tests = (["ipset", "-q", "test", name, address] for _, name in found)
    codes = [subprocess.run(test, check=False).returncode for test in tests]
    return [service for (service, _), code in zip(found, codes, strict=True) if code == 0]


@pytest.mark.parametrize(
    "said",
    [
        "Warning: Extension connlabel revision 0 not supported, missing kernel module?",
        "iptables-restore v1.8.9 (legacy): Couldn't load match `connlabel':No such file; not found",
    ],
)
def test_a_kernel_without_labels_is_named_with_the_remedy(said: str) -> None:
    refused = iptables._refusal("iptables-restore", said)  # noqa: SLF001 - no kernel here lacks them
    assert isinstance(refused, BackendUnavailable)
    assert 'match "connlabel" (xt_connlabel)' in str(refused)
    assert 'backend = "nftables"' in str(refused)


def test_a_set_replaced_while_rules_are_read_is_tolerated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the nftables flavour fails while another run swaps sets."""
    once = tmp_path / "once"
    program = tmp_path / "iptables-save"
    program.write_text(
        f'#!/bin/sh\n[ -e {once} ] && exec /usr/sbin/iptables-save "$@"\n: >{once}\n'
        'echo "iptables-save: Set with index 7 in kernel doesn\'t exist." >&2; exit 1\n'
    )
    program.chmod(0o755)
    path = "geofence.backends.ipset.iptables._SEARCH_PATH"
    monkeypatch.setattr(path, f"{tmp_path}:{iptables._SEARCH_PATH}")  # noqa: SLF001
    desired = merge(policy(), JAPAN)
    commit(desired)
    assert once.exists()
    assert BACKEND.observe().sets == desired.sets


def test_a_set_that_stays_missing_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "iptables-save"
    program.write_text(
        '#!/bin/sh\necho "Warning: cannot open /etc/xtables/connlabel.conf: No such" >&2\n'
        'echo "iptables-save: Set with index 7 in kernel doesn\'t exist." >&2; exit 1\n'
    )
    program.chmod(0o755)
    path = "geofence.backends.ipset.iptables._SEARCH_PATH"
    monkeypatch.setattr(path, f"{tmp_path}:{iptables._SEARCH_PATH}")  # noqa: SLF001
    with pytest.raises(BackendError, match="Set with index 7") as refused:
        iptables.TOOLS[0].save()
    assert "connlabel" not in str(refused.value)
