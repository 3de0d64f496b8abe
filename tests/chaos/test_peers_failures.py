"""What goes wrong with the tools that people use today, and what geofence does in its place.

Each test names the failure it answers. Packets are real, and so is the command line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from geofence.errors import ExitCode, LabError
from geofence.lab.network import PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.lists import ListKind
from geofence.model.prefixes import Family
from geofence.operations.lists import fetched
from geofence.state.lock import exclusive
from tests.chaos.ground import Ground, callers, leaked, lost, medium_list
from tests.cli.machine import ended
from tests.cli.world import JAPAN_IPV4, JAPAN_IPV6, JAPANESE, small
from tests.lists.bodies import country_json
from tests.support.list_server import dripping, hang_up, status, tagged
from tests.support.probes import send_from_pbx

LAB = ("45.77.0.1", "an address of the exception 'lab'")


def sip(source: str) -> Probe:
    """A first packet from there."""
    address = ip_address(source)
    family = Family.IPV4 if address.version == 4 else Family.IPV6
    return Probe(address, PBX[family], Transport.UDP, 5060)


def gets_in(made: Ground, *sources: str) -> list[bool]:
    """Whether a new packet from each source gets in."""
    return [landed == "pbx" for landed in made.lab.fire(map(sip, sources))]


def under_traffic(made: Ground, act: Callable[[], object]) -> tuple[int, int]:
    """Do something under traffic; packets of the allowed that were lost, of others that got in."""
    with made.lab.stream(callers()) as stream:
        act()
        made.lab.settle()
        reports = stream.finish()
    return lost(reports), leaked(reports)


def test_nothing_is_open_while_lists_are_updated(standing: Ground) -> None:
    """Hestia sets the policy to ACCEPT and empties its chain; geoip-shell is open for 0.2 s."""
    machine = standing.machine
    machine.serve("JP", medium_list(8))

    assert under_traffic(standing, lambda: machine.ok("refresh")) == (0, 0)

    assert len(machine.generations()) == 2


def test_nothing_is_open_while_an_exception_is_added(standing: Ground) -> None:
    """geoip-shell is open for 137 ms to add one trusted address."""
    machine = standing.machine

    assert under_traffic(standing, lambda: machine.ok("allow", "lab")) == (0, 0)

    assert gets_in(standing, LAB[0]) == [True]


def test_the_fence_needs_no_process(standing: Ground) -> None:
    """CrowdSec's bouncer is open from its start, and after it is stopped, until it has refilled."""
    daemon = standing.machine.start("daemon")

    def start_and_kill() -> None:
        time.sleep(1.5)
        daemon.kill()
        ended(daemon)

    assert under_traffic(standing, start_and_kill) == (0, 0)


def test_both_families_are_fenced(standing: Ground) -> None:
    """Hestia's firewall knows no IPv6 at all."""
    standing.assert_fenced()

    assert gets_in(standing, "2a00:1450::7", "2400:4000::5") == [False, True]


def test_a_country_without_ipv6_is_blocked_in_that_family(fresh: Ground) -> None:
    """Tools that only make rules for families with a list leave the other one open."""
    machine = fresh.machine
    machine.rule("60.toml", '[allow]\ncountries = ["CF"]\n')
    machine.serve("CF", country_json("CF", ["41.78.120.0/21", "197.242.176.0/21"], []))

    machine.ok("refresh")

    assert gets_in(fresh, "41.78.120.1", *JAPANESE) == [True, False, False]


def test_more_entries_than_a_set_takes_by_default_are_all_there(fresh: Ground) -> None:
    """``ipset create`` makes room for 65,536 entries unless told otherwise, and no more."""
    holed = [
        f"{first}.{second}.{third | rest >> 8}.{rest & 255}/{length}"
        for first in (59, 61)
        for second in range(256)
        for third in range(0, 256, 16)
        for rest, length in _all_but_the_first(12)
    ]
    whole = [prefix for prefix in JAPAN_IPV4 if prefix[:3] not in ("59.", "61.")]
    fresh.machine.serve("JP", country_json("JP", [*whole, *holed], list(JAPAN_IPV6)))

    fresh.machine.ok("refresh")

    assert len(holed) > 65_536
    assert gets_in(fresh, "59.0.0.1", "59.7.16.0", "59.255.255.255") == [True, False, True]
    fresh.assert_whole()


def _all_but_the_first(bits: int) -> list[tuple[int, int]]:
    """What is left of a block without its first address: offsets and prefix lengths."""
    return [(1 << bit, 32 - bit) for bit in range(bits)]


def test_a_list_cut_to_61_percent_is_not_taken(standing: Ground) -> None:
    """Every tool measured takes it: one asks for five lines, the others for 60 % of the last."""
    machine = standing.machine
    before = standing.fence()
    cut = country_json("JP", list(JAPAN_IPV4[:7]), list(JAPAN_IPV6))
    machine.serve("JP", cut)

    refused = machine.run("refresh")

    assert refused.code == ExitCode.DEGRADED
    assert "The list country JP lost " in refused.err
    assert "--accept shrink=JP" in refused.err
    assert standing.fence() == before
    standing.assert_fenced()
    machine.ok("refresh", "--accept", "shrink=JP")
    assert standing.fence() != before


def test_private_space_in_a_country_list_is_not_taken(standing: Ground) -> None:
    """``10.0.0.0/8`` in a country's list is taken by every tool measured."""
    before = standing.fence()
    list_with = country_json("JP", [*JAPAN_IPV4, "10.0.0.0/8"], list(JAPAN_IPV6))
    standing.machine.serve("JP", list_with)

    refused = standing.machine.run("refresh")

    assert refused.code == ExitCode.DEGRADED
    assert "10.0.0.0/8" in refused.err
    assert "--accept special-purpose=JP" in refused.err
    assert standing.fence() == before


def test_a_first_list_that_is_tiny_is_not_taken(fresh: Ground) -> None:
    """geoip-shell's check needs a list before it: the first run takes anything."""
    before = fresh.fence()
    fresh.machine.serve("JP", country_json("JP", ["133.1.2.0/24"], list(JAPAN_IPV6)))

    refused = fresh.machine.run("refresh")

    assert refused.code == ExitCode.REFUSED
    assert "the country has about 190,000,000 IPv4 addresses" in refused.err
    assert "--accept first-run=JP" in refused.err
    assert fresh.fence() == before


def test_after_a_kill_between_list_and_kernel_the_next_run_brings_it_in(fresh: Ground) -> None:
    """geoip-shell's next run says "up to date", with the old set in the kernel."""
    machine, site = fresh.machine, fresh.site
    machine.serve("JP", tagged(medium_list(7), '"one"'))
    machine.ok("refresh")
    before = fresh.fence()
    machine.serve("JP", tagged(medium_list(8), '"two"'))
    with fresh.lab.pbx.entered():
        fetched(site, site.policy(), tuple(ListKind)).store(site)

    machine.ok("refresh")

    assert machine.server.requests[-1].headers["if-none-match"] == '"two"'
    assert fresh.fence() != before
    fresh.assert_whole()
    assert gets_in(fresh, "59.0.8.1", "59.0.7.1") == [False, True]


def test_a_half_loaded_set_never_passes_as_up_to_date(standing: Ground) -> None:
    """geoip-shell takes a set of 1,625 of 29,133 prefixes that a killed run left for the list's."""
    machine = standing.machine
    before = standing.fence()
    _halve(standing)
    machine.serve("JP", tagged(medium_list(7), '"one"'))
    assert standing.fence() != before

    assert machine.run("status").code == ExitCode.CHANGES
    machine.ok("refresh")

    assert standing.fence() == before
    machine.ok("status")
    standing.assert_fenced()


def _halve(made: Ground) -> None:
    """Let the set of the allowed hold a few of its entries only, the way a killed loader would."""
    if made.machine.backend == "ipset":
        made.machine.tool("ipset", "flush", "geofence-allow4")
        made.machine.tool("ipset", "add", "geofence-allow4", "59.0.0.0/22")
    else:
        made.machine.tool("nft", "flush", "set", "inet", "geofence", "allow4")
        entry = ("element", "inet", "geofence", "allow4", "{ 59.0.0.0/22 }")
        made.machine.tool("nft", "add", *entry)


def test_a_half_filled_second_set_is_cleared_away(standing: Ground) -> None:
    """What a killed run was filling is neither used nor left."""
    before = standing.fence()
    if standing.machine.backend == "ipset":
        standing.machine.tool("ipset", "create", "geofence-allow4+", "hash:net")
        standing.machine.tool("ipset", "add", "geofence-allow4+", "59.0.0.0/22")
    else:
        made = ("inet", "geofence", "allow4.1", "{ type ipv4_addr; flags interval; }")
        standing.machine.tool("nft", "add", "set", *made)
    assert standing.observe().debris

    standing.machine.ok("restore")

    assert standing.fence() == before


def test_restore_asks_no_source(standing: Ground) -> None:
    """geoip-shell, its source unreachable, removes its rules on restore and exits with 0."""
    machine = standing.machine
    before = standing.fence()
    machine.serve("JP", hang_up())
    asked = len(machine.server.requests)
    reboot(standing)

    machine.ok("restore")

    assert len(machine.server.requests) == asked
    assert standing.fence() == before
    standing.assert_fenced()


def test_an_unreachable_source_leaves_the_fence_as_it_was(standing: Ground) -> None:
    """Hestia's tool is left with an empty set."""
    before = standing.fence()
    standing.machine.serve("JP", hang_up())

    done = standing.machine.run("refresh")

    assert done.code == ExitCode.DEGRADED
    assert standing.fence() == before
    standing.assert_fenced()


def test_one_bad_list_does_not_stop_the_others(fresh: Ground) -> None:
    """With geoip-shell, one bad list aborts the whole update."""
    machine = fresh.machine
    machine.rule("60.toml", '[allow]\ncountries = ["JP", "AD"]\n')
    machine.serve("AD", small("AD"))
    machine.ok("refresh")
    former = ["85.94.160.0/19", "91.187.64.0/19", "194.158.64.0/19"]
    machine.serve("AD", country_json("AD", [*former, "109.111.96.0/19"], ["2a02:8060::/29"]))
    machine.serve("JP", status(500))

    done = machine.run("refresh")

    assert done.code == ExitCode.DEGRADED
    assert "country JP" in done.err
    assert "HTTP 500" in done.err
    assert gets_in(fresh, "109.111.96.1", *JAPANESE) == [True, True, True]
    fresh.assert_whole()


def test_a_second_run_waits_and_then_says_that_it_is_busy(standing: Ground) -> None:
    """Hestia's runs race each other; geoip-shell's second run exits with 0, having done nothing."""
    machine = standing.machine
    before = standing.fence()
    machine.serve("JP", medium_list(8))
    with exclusive(machine.state, 0):
        done = machine.run("--lock-wait", "0.3", "refresh")

    assert done.code == ExitCode.BUSY
    assert "Another geofence process is using" in done.err
    assert standing.fence() == before
    machine.ok("refresh")


def test_many_runs_at_once_do_their_work_one_after_the_other(standing: Ground) -> None:
    """Whoever waits gets the turn; nothing is mixed, and nothing is lost."""
    machine = standing.machine
    machine.serve("JP", medium_list(8))

    def race() -> None:
        verbs = (("refresh",), ("allow", "lab"), ("restore",), ("apply",), ("refresh",))
        runs = [machine.start(*verb) for verb in verbs]
        assert [ended(run).code for run in runs] == [0] * len(runs)

    assert under_traffic(standing, race) == (0, 0)

    machine.ok("apply")
    standing.assert_whole()
    assert gets_in(standing, LAB[0], "59.0.8.1") == [True, False]


def test_observing_works_while_sets_come_and_go(standing: Ground) -> None:
    """Sets come and go between two looks at them; that is no error of anybody's."""
    machine = standing.machine
    for turn in range(4):
        extra = '[service.extra]\nports = ["6000/udp"]\n' if turn % 2 == 0 else ""
        machine.rule("60.toml", extra)
        changing = machine.start("apply")
        while changing.poll() is None:
            assert standing.observe().rules
        assert ended(changing).code == 0


def test_an_exception_allowed_while_lists_are_fetched_is_not_lost(standing: Ground) -> None:
    """The refresh reads the rules after the lists have come."""
    machine = standing.machine
    machine.serve("JP", dripping(medium_list(8)[:400], 0.01))
    refresh = machine.start("refresh")
    while not machine.server.asked("/jp.json") > 1:
        time.sleep(0.01)

    machine.ok("allow", "lab")

    assert ended(refresh).code == ExitCode.DEGRADED  # half a list is none
    assert gets_in(standing, LAB[0]) == [True]
    standing.assert_whole()


CALLS = {"lab": "45.77.0.1", "leaving": "61.255.1.1"}
STAYING = ("133.1.2.3", "133.1.2.4", "133.1.2.5")
LEAVING = country_json(
    "JP",
    [*[p for p in JAPAN_IPV4 if p != "61.0.0.0/8"], "61.0.0.0/9", "61.128.0.0/10", "61.192.0.0/11"],
    list(JAPAN_IPV6),
)
"""Japan's list without 61.224.0.0/11: 1 % less."""


def packet_of_call(source: str) -> Probe:
    """RTP that comes in from there, always the same flow."""
    here = PBX[Family.IPV4]
    return Probe(ip_address(source), here, Transport.UDP, 10_000, source_port=40_000)


def in_call(made: Ground, *sources: str) -> list[bool]:
    """Whether the next packet of each call gets in."""
    return [landed == "pbx" for landed in made.lab.fire(map(packet_of_call, sources))]


def call(made: Ground, *sources: str) -> None:
    """Let each source and the PBX talk to each other."""
    for source in sources:
        assert in_call(made, source) == [True]
        theirs = packet_of_call(source)
        ours = replace(
            theirs,
            source=theirs.destination,
            destination=theirs.source,
            port=40_000,
            source_port=10_000,
        )
        send_from_pbx(made.lab, ours)
        made.lab.settle()
    assert in_call(made, *sources) == [True] * len(sources)


def test_revoke_cuts_the_call_in_progress(standing: Ground) -> None:
    """With every tool measured, an address taken from the allow list keeps passing."""
    standing.machine.ok("allow", "lab")
    call(standing, CALLS["lab"], *STAYING)

    standing.machine.ok("revoke", "lab")

    assert in_call(standing, CALLS["lab"], *STAYING) == [False, True, True, True]
    assert gets_in(standing, CALLS["lab"]) == [False]


@pytest.fixture
def in_progress(standing: Ground) -> Ground:
    """A call from a network that leaves the country's list, and some from those that stay."""
    call(standing, CALLS["leaving"], *STAYING)
    standing.machine.serve("JP", LEAVING)
    return standing


def test_a_refresh_lets_calls_in_progress_finish(in_progress: Ground) -> None:
    """Who is no longer in the list is let out of the call, not thrown out."""
    in_progress.machine.ok("refresh")

    assert in_call(in_progress, CALLS["leaving"], *STAYING) == [True] * 4
    assert gets_in(in_progress, CALLS["leaving"]) == [False]


def test_a_refresh_with_cut_drops_them(in_progress: Ground) -> None:
    """``--cut`` is for those who must go at once."""
    in_progress.machine.ok("refresh", "--cut")

    assert in_call(in_progress, CALLS["leaving"], *STAYING) == [False, True, True, True]


def reboot(made: Ground) -> None:
    """What the kernel has forgotten when it starts anew."""
    made.machine.tool("nft", "flush", "ruleset")
    made.machine.tool("ipset", "destroy")
    assert made.fence() == ({}, (), ())


HOST_RULE = ("-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
"""One of the host's own, that must not be lost."""


@pytest.fixture
def saved(standing: Ground) -> dict[str, str]:
    """What netfilter-persistent saved, by the program that loads it."""
    tool = standing.machine.tool
    tool("iptables", *HOST_RULE)
    return {name: tool(f"{name}-save") for name in ("iptables", "ip6tables")}


def load(made: Ground, saved: dict[str, str]) -> None:
    """What netfilter-persistent does at boot."""
    for name, rules in saved.items():
        made.lab.pbx.run(f"{name}-restore", stdin=rules)


def test_after_restore_a_saved_rules_file_with_the_fence_in_it_loads(
    standing: Ground, saved: dict[str, str]
) -> None:
    """A rules file that names a set which is not there yet loads no rule at all, of nobody's."""
    machine = standing.machine
    before = standing.fence()
    reboot(standing)

    machine.ok("restore")
    load(standing, saved)

    assert " ".join(HOST_RULE[2:4]) in machine.tool("iptables-save")
    assert standing.fence() == before
    machine.ok("status")
    standing.assert_fenced()


def test_restore_after_the_rules_file_changes_nothing_more(
    standing: Ground, saved: dict[str, str]
) -> None:
    """The unit may run twice, or somebody may run it by hand."""
    reboot(standing)
    standing.machine.ok("restore")
    load(standing, saved)

    again = standing.machine.ok("restore")

    assert "Nothing to change" in again.said
    standing.assert_whole()


def test_a_rules_file_of_another_generation_is_repaired(
    standing: Ground, saved: dict[str, str]
) -> None:
    """It was saved before the last change of the rules: status names it, restore heals it."""
    machine = standing.machine
    machine.rule("60.toml", '[service.extra]\nports = ["6000/udp"]\n')
    machine.ok("apply")
    after = standing.fence()
    reboot(standing)
    machine.ok("restore")
    load(standing, saved)

    drifted = machine.backend == "ipset"
    assert machine.run("status").code == (ExitCode.CHANGES if drifted else ExitCode.DONE)
    machine.ok("restore")

    assert standing.fence() == after
    machine.ok("status")


def test_restore_works_after_a_saved_rules_file_failed_to_load(
    standing: Ground, saved: dict[str, str]
) -> None:
    """The other order: the file does not load, yet restore brings the fence back all the same."""
    machine = standing.machine
    before = standing.fence()
    reboot(standing)
    if machine.backend == "ipset":
        with pytest.raises(LabError, match="geofence-"):
            load(standing, saved)
        assert "--dport 22" not in machine.tool("iptables-save")

    machine.ok("restore")

    assert standing.fence() == before
    standing.assert_fenced()


def test_sets_that_others_saved_and_load_do_not_spoil_the_fence(standing: Ground) -> None:
    """ipset-persistent loads all sets it once saved, ours too, into those that are there."""
    machine = standing.machine
    sets = machine.tool("ipset", "save")
    machine.serve("JP", medium_list(8))
    machine.ok("refresh")
    after = standing.fence()
    standing.lab.pbx.run("ipset", "-exist", "restore", stdin=sets)

    machine.ok("restore")

    assert standing.fence() == after
    machine.ok("status")


def test_destroying_all_sets_does_not_open_the_fence(standing: Ground) -> None:
    """``ipset destroy`` takes away what no rule refers to; ours are referred to."""
    before = standing.fence()

    standing.lab.pbx.run("sh", "-c", "ipset destroy || true")

    assert standing.fence() == before
    standing.assert_fenced()


def test_a_damaged_generation_is_skipped_at_boot(standing: Ground) -> None:
    """A poisoned list survives in Hestia's cache, and is in force after the next boot."""
    machine = standing.machine
    machine.serve("JP", medium_list(8))
    machine.ok("refresh")
    newest = machine.generations()[-1]
    newest.write_bytes(newest.read_bytes()[:-1] + b"\0")
    reboot(standing)

    done = machine.run("restore")

    assert done.code == ExitCode.DEGRADED
    assert "was skipped. Its checksum does not match its content." in done.err
    standing.assert_fenced()
    assert gets_in(standing, "59.0.7.1", "59.0.8.1") == [False, True]
