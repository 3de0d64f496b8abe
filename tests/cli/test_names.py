"""Exceptions by host names and SRV records, and what a name server may do with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_address
from time import sleep, time

import pytest

from geofence.allowed.active_exceptions import Obstacle
from geofence.model.notes import NoteKind
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Role, SetKey
from geofence.state.timed import TimedStore
from tests.cli.facts import fact
from tests.cli.machine import Machine
from tests.cli.world import JAPANESE
from tests.support.name_server import NameServer, asking

NAME, OTHER = "sip.provider.net", "b.provider.net"
SRV = "_sips._tcp.provider.net"
FIRST, SECOND, THIRD, ELSEWHERE = "45.90.0.1", "45.90.0.2", "45.90.0.3", "94.1.2.3"
SIXTH = "2a02:90::1"
FOLLOW = ("refresh", "--names-only")
AT_ONCE = 'grace = "0s"'


@pytest.fixture
def names(one: Machine) -> Iterator[NameServer]:
    """The name server that the machine asks."""
    with asking(one) as server:
        yield server


@pytest.fixture
def both(fresh: Machine) -> Iterator[NameServer]:
    """The same for a machine of each backend."""
    with asking(fresh) as server:
        yield server


def trunk(machine: Machine, more: str = "", names: str = f'hosts = ["{NAME}"]') -> None:
    machine.rule("60-trunk.toml", f"[exception.trunk]\n{names}\n{more}\n")


def by_srv(machine: Machine, more: str = "") -> None:
    trunk(machine, more, f'srv = ["{SRV}"]')


def test_a_change_of_a_names_addresses_is_told(fresh: Machine, both: NameServer) -> None:
    trunk(fresh, AT_ONCE)
    both.addresses[NAME] = [FIRST, SIXTH]
    fresh.ok("refresh")
    assert fresh.gets_in(FIRST, SIXTH) == [True, True]
    both.addresses[NAME] = [SECOND, SIXTH]
    changed = f"The addresses of {NAME} changed: now also {SECOND}; no longer {FIRST}."

    assert changed in fresh.ok("plan").err
    assert fact(fresh.ok("plan", "--json"), NoteKind.HOST_CHANGED) == (
        NAME,
        {"added": [SECOND], "removed": [FIRST], "dropped": []},
    )
    assert changed in fresh.ok("refresh").err
    assert fresh.gets_in(FIRST, SECOND) == [False, True]
    assert changed not in fresh.ok("refresh").err


def test_an_address_that_drops_out_stays_for_its_grace(fresh: Machine, both: NameServer) -> None:
    trunk(fresh, 'grace = "3s"')
    both.addresses[NAME] = [FIRST]
    fresh.ok("refresh")
    both.addresses[NAME] = [SECOND]
    said = fresh.ok(*FOLLOW).err
    assert f"now also {SECOND}; no longer given by DNS, but allowed for now, {FIRST}." in said
    assert fresh.gets_in(FIRST, SECOND) == [True, True]
    [report] = [
        e for e in fresh.ok("status", "--json").json["lists"] if e["list"] == f"host {NAME}"
    ]
    [part] = report["parts"]
    assert (part["ttl"], [e["address"] for e in part["dropped"]]) == (5, [FIRST])
    fresh.clear()
    fresh.ok("restore")
    assert fresh.gets_in(FIRST, SECOND) == [True, True]
    sleep(3)
    assert f"changed: no longer {FIRST}." in fresh.ok(*FOLLOW).err
    assert fresh.gets_in(FIRST, SECOND) == [False, True]


def test_answers_that_rotate_converge_to_their_union(fresh: Machine, both: NameServer) -> None:
    trunk(fresh)
    both.turns[NAME] = [[FIRST, SECOND], [THIRD, "45.90.0.4"], [FIRST, SECOND], [THIRD, FIRST]]
    fresh.ok("refresh")
    fresh.ok(*FOLLOW)
    for _ in range(2):
        assert "Nothing to change" in fresh.ok(*FOLLOW).out
        assert fresh.gets_in(FIRST, SECOND, THIRD, "45.90.0.4") == [True] * 4


def test_names_are_followed_without_a_download_and_in_the_same_generation(
    fresh: Machine, both: NameServer
) -> None:
    trunk(fresh, f'{AT_ONCE}\nservices = ["sip"]')
    both.addresses[NAME] = [FIRST]
    fresh.ok("refresh")
    asked, made = len(fresh.server.requests), fresh.generations()
    both.addresses[NAME] = [SECOND, SIXTH]

    done = fresh.ok(*FOLLOW, "--json").json

    assert (done["changed"], done["generation"]) == (True, 1)
    assert fresh.gets_in(FIRST, SECOND, SIXTH, *JAPANESE) == [False, True, True, True, True]
    assert fresh.gets_in(SECOND, service="rtp") == [False]
    assert (len(fresh.server.requests), fresh.generations()) == (asked, made)
    status = fresh.ok("status", "--json").json
    assert (status["drift"], status["rules_edited"]) == ([], False)
    fresh.clear()
    fresh.ok("restore")
    assert fresh.gets_in(FIRST, SECOND) == [False, True]
    assert "Nothing to change" in fresh.ok("apply").out


def test_edited_rules_and_a_rollback_are_left_as_they_are(one: Machine, names: NameServer) -> None:
    names.addresses[NAME] = [FIRST]
    names.addresses[OTHER] = [ELSEWHERE]
    trunk(one, AT_ONCE)
    one.ok("refresh")
    one.rule("61-edited.toml", f'[exception.home]\nprefixes = ["45.99.0.7"]\nhosts = ["{OTHER}"]\n')
    names.addresses[NAME] = [SECOND]
    one.ok(*FOLLOW)
    assert one.gets_in(FIRST, SECOND, "45.99.0.7", "45.88.0.7") == [False, True, False, True]

    one.ok("refresh")
    assert one.gets_in(SECOND, "45.99.0.7", "45.88.0.7", ELSEWHERE) == [True, True, False, True]
    one.ok("rollback")
    names.addresses[NAME] = [THIRD]
    one.ok(*FOLLOW)
    assert one.gets_in(SECOND, THIRD, "45.99.0.7", "45.88.0.7") == [False, True, False, True]
    assert one.gets_in(ELSEWHERE) == [False]


def test_a_name_that_resolves_at_last_is_allowed(one: Machine, names: NameServer) -> None:
    trunk(one, f'last_known = ["{ELSEWHERE}"]')
    assert one.run("refresh").code == 5
    assert one.gets_in(ELSEWHERE, FIRST) == [True, False]
    names.addresses[NAME] = [FIRST]
    one.ok(*FOLLOW)
    assert one.gets_in(ELSEWHERE, FIRST) == [False, True]
    names.addresses[NAME] = [SECOND]
    one.ok(*FOLLOW)
    assert one.gets_in(FIRST, SECOND) == [True, True]


def test_names_that_are_allowed_for_a_time_are_followed_until_it_ends(
    fresh: Machine, both: NameServer
) -> None:
    trunk(fresh, AT_ONCE)
    both.addresses |= {NAME: [THIRD], OTHER: [FIRST]}
    fresh.ok("refresh")
    fresh.ok("allow", OTHER, "--name", "phone", "--for", "20s", "--service", "sip")
    [until] = timed(fresh, FIRST)
    both.addresses |= {NAME: [ELSEWHERE], OTHER: [SECOND]}
    fresh.ok(*FOLLOW)
    assert timed(fresh, SECOND) == [until]
    assert fresh.gets_in(THIRD, ELSEWHERE, SECOND) == [False, True, False]
    assert timed(fresh, FIRST) == [until]  # for its grace
    fresh.clear()
    fresh.ok("restore")
    assert timed(fresh, SECOND) == [until]
    sleep(max(0.0, until - time()) + 2)
    assert (timed(fresh, FIRST), timed(fresh, SECOND)) == ([], [])
    fresh.ok(*FOLLOW)
    assert timed(fresh, SECOND) == []


def timed(machine: Machine, address: str) -> list[float]:
    """When an address ends that is allowed for a time; nothing if the kernel does not have it."""
    key = SetKey(Role.TIMED, "sip", Family.IPV4)
    wanted = int(ip_address(address))
    if wanted not in machine.observe().runtime.get(key, PrefixSet(Family.IPV4)):
        return []
    recorded = TimedStore(machine.state).load().get(key, ())
    return [each.until for each in recorded if each.until and each.prefix.network == wanted]


def test_a_timer_resolves_only_what_is_due_and_is_silent(one: Machine, names: NameServer) -> None:
    trunk(one, AT_ONCE)
    names.addresses[NAME] = [FIRST]
    names.ttl = 600
    one.ok("refresh")
    names.addresses[NAME] = [SECOND]
    asked = names.asked(NAME)
    for ago, again in ((0, False), (5, False), (6, True)):
        one.age_lists(timedelta(minutes=ago))
        done = one.ok(*FOLLOW, "--unattended")
        assert bool(done.said) is again
        assert (names.asked(NAME) > asked) is again
    assert one.gets_in(FIRST, SECOND) == [False, True]


def test_without_a_fence_a_timer_does_nothing(one: Machine, names: NameServer) -> None:
    trunk(one)
    assert one.ok(*FOLLOW, "--unattended").said == ""
    done = one.run(*FOLLOW)
    assert (done.code, names.questions) == (2, [])
    assert "There is no fence to update. Run 'geofence refresh'." in done.err
    names.addresses[NAME] = [FIRST]
    one.ok("refresh")
    one.ok("remove")
    one.age_lists(timedelta(days=1))
    assert one.ok(*FOLLOW, "--unattended").said == ""
    assert not one.observe().sets


def test_nothing_is_resolved_while_a_change_waits_to_be_confirmed(
    one: Machine, names: NameServer
) -> None:
    trunk(one)
    names.addresses[NAME] = [FIRST]
    one.ok("refresh")
    one.rule("61-edited.toml", '[exception.more]\nprefixes = ["45.99.0.7"]\n')
    one.ok("apply", "--confirm-within", "60s")
    names.addresses[NAME] = [SECOND]
    asked = names.asked(NAME)
    for options in ((), ("--unattended",)):
        one.age_lists(timedelta(days=1))
        done = one.run(*FOLLOW, *options)
        assert (done.code, names.asked(NAME)) == (4, asked)
        assert "The last change is pending" in done.err
    one.ok("confirm")
    one.ok(*FOLLOW)
    assert one.gets_in(SECOND, "45.99.0.7") == [True, True]


@pytest.mark.parametrize("option", ["--cut", "--compare-mirrors"])
def test_options_that_need_lists_are_refused(one: Machine, option: str) -> None:
    done = one.run(*FOLLOW, option)
    assert done.code == 2
    assert "--names-only excludes --cut and --compare-mirrors" in done.err


def nxdomain(names: NameServer, name: str) -> None:
    names.codes[name] = "NXDOMAIN"


def servfail(names: NameServer, name: str) -> None:
    names.codes[name] = "SERVFAIL"


def empty(names: NameServer, name: str) -> None:
    names.addresses[name] = names.services[name] = []


def silence(names: NameServer, name: str) -> None:
    names.silent.add(name)


def loop(names: NameServer, name: str) -> None:
    names.aliases = {name: "loop.provider.net", "loop.provider.net": name}
    names.addresses.pop(name, None)
    names.services.pop(name, None)


def private(names: NameServer, name: str) -> None:
    names.addresses[NAME] = [FIRST, "192.168.1.1"]
    assert name


def loopback(names: NameServer, name: str) -> None:
    names.addresses[NAME] = ["127.0.0.1"]
    assert name


def thousands(names: NameServer, name: str) -> None:
    names.addresses[NAME] = [f"94.{n // 256}.{n % 256}.1" for n in range(3_000)]
    assert name


FAILURES = [
    (nxdomain, "Is the name correct?"),
    (servfail, "failed (SERVFAIL)"),
    (empty, "Is the name correct?"),
    (loop, "failed (its CNAME records form a loop or are too many)"),
    (private, f"DNS gives 192.168.1.1 for {NAME}, which is a private address"),
    (loopback, f"DNS gives 127.0.0.1 for {NAME}, which is a loopback address"),
    (thousands, f"DNS gives 3,000 addresses for {NAME}, but one name may add at most 64"),
]
Fails = Callable[[NameServer, str], None]


@pytest.mark.parametrize(("fails", "why"), FAILURES)
def test_where_dns_fails_or_lies_the_last_answer_stays(
    one: Machine, names: NameServer, fails: Fails, why: str
) -> None:
    trunk(one, AT_ONCE)
    names.addresses[NAME] = [FIRST]
    one.ok("refresh")
    fails(names, NAME)
    for verb in (("refresh",), FOLLOW):
        done = one.run(*verb)
        assert done.code == 5
        assert why in done.err
        assert one.gets_in(FIRST, "192.168.1.1", "94.0.7.1") == [True, False, False]


@pytest.mark.parametrize(("fails", "why"), FAILURES)
def test_where_dns_fails_or_lies_the_last_servers_stay(
    one: Machine, names: NameServer, fails: Fails, why: str
) -> None:
    by_srv(one, AT_ONCE)
    names.addresses[NAME] = [FIRST]
    names.services[SRV] = [f"10 5 5061 {NAME}."]
    one.ok("refresh")
    fails(names, SRV)
    done = one.run(*FOLLOW)
    assert done.code == 5
    assert why in done.err
    assert one.gets_in(FIRST, "192.168.1.1", "94.0.7.1") == [True, False, False]


def test_where_dns_is_silent_the_last_answer_stays(one: Machine, names: NameServer) -> None:
    trunk(one, AT_ONCE)
    names.addresses[NAME] = [FIRST]
    one.ok("refresh")
    names.silent.add(NAME)
    done = one.run(*FOLLOW)
    assert done.code == 5
    assert "failed (no answer in time)" in done.err
    assert one.gets_in(FIRST) == [True]


@pytest.mark.parametrize("kind", ["hosts", "srv"])
def test_where_a_name_has_never_resolved_the_last_known_address_is_used(
    one: Machine, names: NameServer, kind: str
) -> None:
    name = SRV if kind == "srv" else NAME
    names.codes[name] = "SERVFAIL"
    trunk(one, f'last_known = ["{ELSEWHERE}"]', f'{kind} = ["{name}"]')
    assert one.run("refresh").code == 5
    assert one.gets_in(ELSEWHERE) == [True]
    assert (
        "last_known is used for host names that have never resolved (trunk)" in one.ok("status").err
    )
    trunk(one, "", f'{kind} = ["{name}"]')
    one.ok("apply")
    assert f"Exception trunk is inactive: {name} has never resolved" in one.ok("status").out


def test_half_an_answer_changes_half(one: Machine, names: NameServer) -> None:
    trunk(one, AT_ONCE)
    names.addresses[NAME] = [FIRST, SIXTH]
    one.ok("refresh")
    names.addresses[NAME] = [SECOND]
    names.codes[f"{NAME}/AAAA"] = "SERVFAIL"
    one.ok(*FOLLOW)
    assert one.gets_in(FIRST, SECOND, SIXTH) == [False, True, True]
    del names.codes[f"{NAME}/AAAA"]
    one.ok(*FOLLOW)
    assert one.gets_in(FIRST, SECOND, SIXTH) == [False, True, False]


def test_an_answer_without_records_in_one_family_ends_that_family(
    one: Machine, names: NameServer
) -> None:
    trunk(one, AT_ONCE)
    names.addresses[NAME] = [FIRST, SIXTH]
    one.ok("refresh")
    names.addresses[NAME] = [FIRST]
    one.ok(*FOLLOW)
    assert one.gets_in(FIRST, SIXTH) == [True, False]


def test_srv_records_are_followed(fresh: Machine, both: NameServer) -> None:
    by_srv(fresh, AT_ONCE)
    both.addresses |= {NAME: [FIRST, SIXTH], OTHER: [SECOND]}
    both.services[SRV] = [f"10 5 5061 {NAME}.", f"20 5 5061 {OTHER}."]
    fresh.ok("refresh")
    assert fresh.gets_in(FIRST, SECOND, SIXTH, THIRD) == [True, True, True, False]
    assert "exception trunk" in fresh.ok("why", FIRST).out
    assert f"srv {SRV}" in fresh.ok("status", "--full").out
    assert all(each in fresh.ok("why", SRV).out for each in (FIRST, SECOND))
    assert SRV in fresh.ok("exceptions").out

    both.addresses[OTHER] = [THIRD]
    both.services[SRV] = [f"20 5 5061 {OTHER}."]
    changed = f"The addresses of {SRV} changed: now also {THIRD}; no longer "
    assert changed in fresh.ok("plan").err
    assert changed in fresh.ok(*FOLLOW).err
    assert fresh.gets_in(FIRST, SECOND, SIXTH, THIRD) == [False, False, False, True]


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (["0 0 0 ."], f"The SRV record of {SRV} says that there is no such service."),
        (["1 1 5061 pbx.lan."], 'give the server "pbx.lan", which is a local name'),
        (
            [f"1 1 5061 s{n}.provider.net." for n in range(17)],
            "give 17 servers, but at most 16 are allowed",
        ),
    ],
)
def test_srv_records_that_must_not_be_used_keep_the_last(
    one: Machine, names: NameServer, records: list[str], why: str
) -> None:
    by_srv(one, AT_ONCE)
    names.addresses |= {NAME: [FIRST], "pbx.lan": [ELSEWHERE]}
    names.services[SRV] = [f"10 5 5061 {NAME}."]
    one.ok("refresh")
    names.services[SRV] = records
    done = one.run(*FOLLOW)
    assert done.code == 5
    assert why in done.err
    assert one.gets_in(FIRST, ELSEWHERE) == [True, False]


def test_servers_of_a_service_are_pinned_by_within(one: Machine, names: NameServer) -> None:
    by_srv(one, 'within = ["45.90.0.0/24"]')
    names.addresses[NAME] = [FIRST]
    names.services[SRV] = [f"10 5 5061 {NAME}."]
    one.ok("refresh")
    names.addresses[NAME] = [ELSEWHERE]
    done = one.run(*FOLLOW)
    assert done.code == 5
    assert f'gives {ELSEWHERE} for {NAME}, which is outside "within"' in done.err
    assert one.gets_in(FIRST, ELSEWHERE) == [True, False]


def test_a_trunk_with_srv_records_alone_is_told_how_to_be_written(
    one: Machine, names: NameServer
) -> None:
    trunk(one, "", 'hosts = ["provider.net"]')
    names.addresses[NAME] = [FIRST]
    names.services[SRV] = [f"10 5 5061 {NAME}."]
    done = one.run("refresh")
    assert done.code == 5
    assert f'Write srv = ["{SRV}"] instead of the host name.' in done.err


def test_a_forged_answer_opens_nothing(fresh: Machine, both: NameServer) -> None:
    trunk(fresh, AT_ONCE)
    both.addresses[NAME] = [FIRST]
    both.forged[NAME] = ELSEWHERE
    fresh.ok("refresh")
    assert fresh.gets_in(FIRST, ELSEWHERE) == [True, False]


def test_an_answer_that_is_too_long_for_udp_is_whole(fresh: Machine, both: NameServer) -> None:
    trunk(fresh)
    both.addresses[NAME] = [f"45.91.0.{n}" for n in range(60)]
    fresh.ok("refresh")
    assert both.by_tcp == [NAME]
    assert all(fresh.gets_in(*both.addresses[NAME]))


def test_a_slow_answer_is_waited_for(one: Machine, names: NameServer) -> None:
    trunk(one)
    names.addresses[NAME] = [FIRST]
    names.delays[NAME] = 1.5
    one.ok("refresh")
    assert one.gets_in(FIRST) == [True]


def test_aliases_are_followed(one: Machine, names: NameServer) -> None:
    trunk(one)
    names.aliases = {NAME: "pool.provider.net", "pool.provider.net": OTHER}
    names.addresses[OTHER] = [FIRST]
    one.ok("refresh")
    assert one.gets_in(FIRST) == [True]


def test_a_public_name_that_becomes_private_keeps_its_last(one: Machine, names: NameServer) -> None:
    trunk(one)
    names.addresses[NAME] = [FIRST]
    one.ok("refresh")
    names.addresses[NAME] = [FIRST, "100.64.3.4"]

    done = one.run("refresh")

    assert done.code == 5
    assert f"gives 100.64.3.4 for {NAME}, which is a private address" in done.err
    assert one.gets_in(FIRST, "100.64.3.4") == [True, False]

    trunk(one, f'within = ["{FIRST}", "100.64.3.4"]')
    one.ok("refresh")
    assert one.gets_in(FIRST, "100.64.3.4") == [True, True]


def test_answers_are_pinned_by_within(one: Machine, names: NameServer) -> None:
    trunk(one, 'within = ["45.90.0.0/24"]')
    names.addresses[NAME] = [FIRST, SECOND]
    one.ok("refresh")
    names.addresses[NAME] = [SECOND, ELSEWHERE]

    done = one.run("refresh")

    assert done.code == 5
    assert f'gives {ELSEWHERE} for {NAME}, which is outside "within" of its exception' in done.err
    assert one.gets_in(FIRST, SECOND, ELSEWHERE) == [True, True, False]


def test_addresses_resolved_before_the_pin_are_blocked_by_it(
    one: Machine, names: NameServer
) -> None:
    trunk(one)
    names.addresses[NAME] = [FIRST, ELSEWHERE]
    one.ok("refresh")
    assert one.gets_in(FIRST, ELSEWHERE) == [True, True]
    trunk(one, 'within = ["45.90.0.0/24"]')
    outside = ("trunk", {"addresses": [ELSEWHERE]})
    assert fact(one.ok("apply", "--json"), NoteKind.OUTSIDE_PIN) == outside
    assert fact(one.ok("status", "--json"), NoteKind.OUTSIDE_PIN) == outside
    assert one.gets_in(FIRST, ELSEWHERE) == [True, False]

    trunk(one, 'within = ["45.91.0.0/24"]')
    one.ok("apply")
    [waiting] = one.ok("status", "--json").json["exceptions_waiting"]
    assert (waiting["exception"], waiting["kind"]) == ("trunk", Obstacle.OUTSIDE_PIN)
    assert one.gets_in(FIRST, ELSEWHERE) == [False, False]


def test_an_exception_pins_a_name_that_another_allows(one: Machine, names: NameServer) -> None:
    one.rule("61-other.toml", f'[exception.other]\nservices = ["rtp"]\nhosts = ["{NAME}"]\n')
    trunk(one, 'within = ["45.90.0.0/24"]\nservices = ["sip"]')
    names.addresses[NAME] = [FIRST, ELSEWHERE]
    outside = ("trunk", {"addresses": [ELSEWHERE]})
    assert fact(one.ok("refresh", "--json"), NoteKind.OUTSIDE_PIN) == outside
    assert one.gets_in(FIRST, ELSEWHERE) == [True, False]
    assert one.gets_in(FIRST, ELSEWHERE, service="rtp") == [True, True]


def test_a_sip_domain_is_looked_up_as_sip_software_does(one: Machine, names: NameServer) -> None:
    domain = "provider.net"
    trunk(one, AT_ONCE, f'sip = ["{domain}"]')
    names.addresses |= {domain: [THIRD], NAME: [FIRST], OTHER: [SECOND]}
    names.services[f"_sip._udp.{domain}"] = [f"10 5 5060 {NAME}."]
    one.ok("refresh")
    assert one.gets_in(FIRST, SECOND, THIRD) == [True, False, True]
    assert f"sip {domain}" in one.ok("status", "--full").out
    assert all(each in one.ok("why", domain).out for each in (FIRST, THIRD))

    del names.services[f"_sip._udp.{domain}"]
    names.services[f"_sips._tcp.{domain}"] = [f"10 5 5061 {OTHER}."]
    one.ok(*FOLLOW)
    assert one.gets_in(FIRST, SECOND, THIRD) == [False, True, True]
