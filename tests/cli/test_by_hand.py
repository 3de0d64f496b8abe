"""What is allowed by hand: addresses, host names and countries, with and without an end."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from geofence.allowed.timed import timed_prefixes
from geofence.model.notes import NoteKind
from geofence.model.policy import BackendChoice
from geofence.model.prefixes import Family
from geofence.model.ruleset import Role, SetKey
from geofence.operations.lists import at_hand
from geofence.operations.site import Site
from tests.cli.facts import fact, kinds
from tests.cli.machine import Machine, ended
from tests.cli.test_cut import Talk, dropped, talking
from tests.cli.test_exceptions import switches
from tests.cli.test_system_log import log
from tests.cli.world import small
from tests.support.list_server import status
from tests.support.name_server import NameServer, asking

GUEST, OTHER, STRANGER = "45.9.9.9", "45.9.9.10", "45.9.9.11"
MONACO = "80.94.96.5"
NAME = "phone.provider.net"


@pytest.fixture
def talk(fresh: Machine) -> Iterator[Talk]:
    with talking(fresh) as made:
        fresh.serve("MC", small("MC"))
        fresh.ok("refresh")
        yield made


def site(machine: Machine) -> Site:
    """The installation, for looking into it from the test's own process."""
    return Site(machine.rules, machine.state, backend=BackendChoice(machine.backend))


def timed(machine: Machine, service: str = "sip") -> dict[str, float]:
    """What the kernel is to allow until a time: prefixes, and seconds that are left."""
    here, now = site(machine), datetime.now(UTC)
    found = timed_prefixes(here.policy(), at_hand(here), now)
    return {
        str(each.prefix): (each.until or 0) - now.timestamp()
        for family in Family
        for each in found[SetKey(Role.TIMED, service, family)]
    }


def test_an_address_gets_in_and_is_cut_when_it_is_revoked(fresh: Machine, talk: Talk) -> None:
    assert talk.reaches(GUEST) == [False]
    done = fresh.ok(
        "allow", GUEST, "--name", "guest", "--service", "sip", "--note", "Sato", "--json"
    )
    assert talk.reaches(GUEST, OTHER) == [True, False]
    assert switches(fresh.owned) == [
        "[exception.guest]",
        f'prefixes = ["{GUEST}"]',
        'services = ["sip"]',
        'note = "Sato"',
    ]
    assert fact(done, NoteKind.EXCEPTION_ALLOWED)[0] == "guest"
    assert fresh.gets_in(GUEST, service="rtp") == [False]

    revoked = fresh.ok("revoke", GUEST, "--json")
    assert kinds(revoked).count(NoteKind.EXCEPTION_DELETED) == 1
    assert dropped(revoked) == 1
    assert talk.reaches(GUEST) == [False]
    assert switches(fresh.owned) == []


def test_several_at_once_make_one_exception_and_a_prefix_revokes_a_part(
    fresh: Machine, talk: Talk
) -> None:
    fresh.ok("allow", GUEST, f"{OTHER}-{STRANGER}", "office", "2a00:77::/64")
    assert talk.reaches(GUEST, OTHER, STRANGER) == [True, True, True]
    assert fresh.gets_in("45.9.1.1", "2a00:77::1") == [True, True]
    fresh.ok("revoke", "office", "45.9.9.10/31")
    assert talk.reaches(GUEST, OTHER, STRANGER) == [True, False, False]
    assert fresh.gets_in("45.9.1.1", "2a00:77::1") == [False, True]


def test_a_country_gets_in_and_is_cut_when_it_is_revoked(fresh: Machine, talk: Talk) -> None:
    assert talk.reaches(MONACO) == [False]
    done = fresh.ok("allow", "--country", "mc", "--json")
    assert fact(done, NoteKind.COUNTRY_ALLOWED) == ("MC", {"services": [], "until": None})
    assert talk.reaches(MONACO) == [True]
    fresh.ok("refresh")
    assert talk.reaches(MONACO) == [True]
    assert dropped(fresh.ok("revoke", "--country", "MC", "--json")) == 1
    assert talk.reaches(MONACO) == [False]
    assert switches(fresh.owned) == []


def test_a_country_of_the_rules_is_revoked_and_allowed_again(fresh: Machine, talk: Talk) -> None:
    fresh.ok("allow", "--country", "MC")
    assert talk.reaches("133.1.2.3", MONACO) == [True, True]
    fresh.ok("revoke", "--country", "JP", "--accept", "live-sources")
    assert talk.reaches("133.1.2.3", MONACO) == [False, True]
    fresh.ok("allow", "--country", "JP")
    assert talk.reaches("133.1.2.3", MONACO) == [True, True]
    assert switches(fresh.owned) == ["[country.MC]", "allowed = true"]


def test_a_country_for_one_service(fresh: Machine, talk: Talk) -> None:
    fresh.ok("allow", "--country", "MC", "--service", "rtp")
    assert talk.reaches(MONACO) == [False]
    sets = fresh.observe().sets
    assert (
        sets[SetKey(Role.ALLOW, "rtp", Family.IPV4)].size
        > sets[SetKey(Role.ALLOW, "", Family.IPV4)].size
    )


@pytest.fixture
def names(one: Machine) -> Iterator[NameServer]:
    """The name server that the machine asks."""
    with asking(one) as server:
        yield server


def test_a_host_name_gets_in_with_all_its_addresses(one: Machine, names: NameServer) -> None:
    names.addresses[NAME] = ["45.90.0.1", "2a02:90::1"]
    one.ok("refresh")
    one.ok("allow", NAME)
    assert one.gets_in("45.90.0.1", "2a02:90::1") == [True, True]
    assert switches(one.owned) == ["[exception.phone-provider-net]", f'hosts = ["{NAME}"]']
    names.addresses[NAME] = ["45.90.0.2"]
    one.ok("refresh")
    assert one.gets_in("45.90.0.1", "45.90.0.2") == [True, True], "the grace time"
    one.ok("revoke", NAME)
    assert one.gets_in("45.90.0.1", "45.90.0.2") == [False, False]


def test_what_has_an_end_is_for_the_timed_sets_alone(fresh: Machine) -> None:
    fresh.serve("MC", small("MC"))
    fresh.ok("refresh")
    before = fresh.observe().sets
    assert fresh.ok("allow", GUEST, "office", "--for", "8h", "--json").json["changed"]
    again = fresh.ok("allow", GUEST, "office", "--for", "1h")
    assert again.out.startswith("Nothing to change: ")
    longer = fresh.ok("allow", "lab", "--for", "9h")
    assert longer.out.startswith("The exceptions with an end have changed. ")
    fresh.ok("revoke", "lab")
    fresh.ok("allow", "--country", "MC", "--for", "30m", "--service", "rtp")
    declared = {k: v for k, v in fresh.observe().sets.items() if k.role is not Role.TIMED}
    assert declared == {k: v for k, v in before.items() if k.role is not Role.TIMED}

    sip, rtp = timed(fresh), timed(fresh, "rtp")
    assert sip.keys() == {"45.9.0.0/16", "2a00:1450::/32"}  # GUEST is in the office's network
    assert rtp.keys() > {f"{GUEST}/32", "80.94.96.0/19"}
    assert all(8 * 3600 - 60 < left <= 8 * 3600 + 1 for left in sip.values())
    assert 1740 < rtp["80.94.96.0/19"] <= 1801

    fresh.ok("revoke", GUEST, "office")
    assert timed(fresh) == {}
    fresh.ok("revoke", "--country", "MC")
    assert timed(fresh, "rtp") == {}


def test_what_has_an_end_gets_in_until_then_or_until_it_is_revoked(
    fresh: Machine, talk: Talk
) -> None:
    fresh.ok("allow", GUEST, "--for", "8h")
    fresh.ok("allow", "--country", "MC", "--for", "1h")
    fresh.ok("allow", OTHER, "--for", "6s")
    assert talk.reaches(OTHER, GUEST, STRANGER, MONACO) == [True, True, False, True]
    assert dropped(fresh.ok("revoke", GUEST, "--json")) == 1
    fresh.ok("revoke", "--country", "MC")
    time.sleep(6)
    assert talk.reaches(GUEST, OTHER, MONACO) == [False, False, False]


def test_how_much_an_exception_is_used_is_counted(fresh: Machine, talk: Talk) -> None:
    fresh.ok("allow", GUEST, "--name", "lasting")
    fresh.ok("allow", OTHER, "--name", "ending", "--for", "8h")
    assert talk.reaches(GUEST, OTHER, OTHER) == [True, True, True]
    told = fresh.ok("exceptions", "--json").json["exceptions"]
    counts = {each["exception"]: each["packets"] for each in told}
    assert (counts["lasting"], counts["ending"], counts["push-as"]) == (1, 2, 0)


def end_all(machine: Machine) -> None:
    """Make it so late that all that has an end is over."""
    text = machine.owned.read_text(encoding="utf-8")
    machine.rule(machine.owned.name, re.sub(r"until = \d+", "until = 2025", text))


def test_what_has_ended_is_dropped_when_the_file_is_written_next(one: Machine) -> None:
    one.ok("refresh")
    one.ok("allow", GUEST, "office", "--until", "2027-06-01T12:00Z", "--json")
    one.ok("revoke", "home")
    one.ok("allow", "home", "--until", "2027-06-01T12:00Z")
    end_all(one)
    assert timed(one) == {}
    assert one.gets_in("45.88.0.7") == [False]
    status = one.ok("status", "--json").json
    assert not {"office", "ip-45-9-9-9", "home"} & {*status["exceptions"]}
    assert status["exceptions_waiting"] == []
    ended = [
        each["exception"]
        for each in one.ok("exceptions", "--json").json["exceptions"]
        if each["ended"]
    ]
    assert ended == ["office", "home", "ip-45-9-9-9"]
    one.ok("allow", "lab")
    assert switches(one.owned) == [
        *("[exception.home]", "enabled = false"),
        *("[exception.lab]", "enabled = true"),
    ]


@pytest.mark.parametrize("end", [("--for", "8h"), ()])
def test_nearly_everybody_is_refused(one: Machine, end: tuple[str, ...]) -> None:
    one.ok("refresh")
    fence = one.fence()
    done = one.run("allow", "0.0.0.0/0", *end)
    assert done.code == 3
    assert "Exceptions would newly allow" in done.err
    assert "--accept open" in done.err
    assert not one.owned.exists()
    assert one.fence() == fence


def test_nearly_everybody_is_allowed_if_that_is_meant(one: Machine) -> None:
    one.ok("refresh")
    one.ok("allow", "0.0.0.0/0", "--for", "8h", "--accept", "open")
    assert list(timed(one)) == ["0.0.0.0/0"]
    # What was allowed before is no objection.
    one.ok("allow", "lab", "--for", "8h")


def test_a_country_whose_list_cannot_be_had_changes_nothing(one: Machine) -> None:
    one.ok("refresh")
    one.serve("MC", status(404))
    one.environment["GEOFENCE_PATIENCE"] = "2"
    before = one.fence()
    for end in ((), ("--for", "8h")):
        done = one.run("allow", "--country", "MC", *end)
        assert done.code == 1
        assert "country MC" in done.err
        assert not one.owned.exists()
    assert one.fence() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name an exception, an address or a host, or give --country"),
        (("US",), "run 'geofence allow --country US'."),
        (("--country", "UK"), '--country: unknown country "UK"'),
        ((GUEST, "--for", "8"), '--for: "8" is not a duration'),
        ((GUEST, "--for", "0s"), '--for: "0s" is out of range'),
        ((GUEST, "--until", "noon"), '--until: "noon" is not a point in time'),
        ((GUEST, "--until", "2020-01-01 12:00"), '--until: "2020-01-01 12:00" is over'),
        ((GUEST, "--until", "9999-12-31 23:59"), "is too far away; expected at most ten years"),
        ((GUEST, "--for", "8h", "--until", "18:00"), "--for and --until exclude each other"),
        ((GUEST, "--note", "a\nb"), '--note: "a\\nb" cannot be shown in one line'),
        ((GUEST, "--name", "office"), "The exception office is defined in "),
        ((GUEST, "--name", "offices"), '"offices" is the name of a group'),
        (("office", "--service", "sip"), "the exception office are in its rules"),
        ((GUEST, "--service", "spi"), 'unknown service "spi"'),
        (("45.9.9.300",), '"45.9.9.300" is not a prefix'),
    ],
)
def test_what_cannot_be_is_one_sentence(
    settled: Machine, arguments: tuple[str, ...], message: str
) -> None:
    before = settled.files()
    done = settled.run("allow", *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not settled.owned.exists()
    assert settled.files() == before


def test_the_log_tells_who_allowed_what_until_when(one: Machine) -> None:
    one.ok("refresh")
    os.chmod(one.directory, 0o755)  # noqa: PTH101, S103 - the socket is reached through it
    with log(one.directory / "log") as heard:
        one.wrapper = ("unshare", "--mount", "sh", "-c", _OWN_JOURNAL, str(heard.path))
        one.ok("allow", GUEST, "--until", "2027-06-01T12:00Z")
        one.ok("allow", GUEST, "--until", "2027-06-01T12:00Z")
        said = heard.messages()
    assert len(said) == 1
    assert said[0].startswith(f"allow {GUEST} --until 2027-06-01T12:00:00Z: ")
    assert "; by " in said[0]


_OWN_JOURNAL = """\
mount -t tmpfs none /run
mkdir -p /run/systemd/journal
ln -s "$0" /run/systemd/journal/socket
exec "$@"
"""


def test_a_time_of_day_is_the_next_one_in_local_time(one: Machine) -> None:
    one.environment["TZ"] = "Asia/Tokyo"
    one.ok("refresh")
    done = ended(one.start("allow", GUEST, "--until", "18:00", "--json"))
    until = datetime.fromisoformat(str(fact(done, NoteKind.EXCEPTION_ALLOWED)[1]["until"]))
    assert (until.utcoffset(), until.hour, until.minute) == (timedelta(), 9, 0)
    assert timedelta() < until - datetime.now(UTC) <= timedelta(days=1)
