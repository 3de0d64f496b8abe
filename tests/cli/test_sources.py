"""What publishers and mirrors do to their lists, and what a refresh makes of it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geofence.model.notes import NoteKind
from tests.cli.facts import fact, kinds, problem_with
from tests.cli.machine import Machine
from tests.cli.world import COME, GONE, JAPANESE, japan, japan_later
from tests.lists.bodies import country_text
from tests.support.list_server import Reply, content, status

HELD = JAPANESE[0]
"""In 133.1.0.0/16."""


def serve(machine: Machine, reply: Reply | bytes) -> None:
    answer = content(reply) if isinstance(reply, bytes) else reply
    address = machine.server.on("/bad.txt", answer)
    machine.rule("60-bad.toml", f'[blocklist.bad]\nurl = "{address}"\n')


def cut_gzip(body: bytes, missing: int) -> Reply:
    """A compressed answer whose end is missing and whose length is right."""
    return content(gzip.compress(body)[:-missing], {"Content-Encoding": "gzip"})


MANY = b"".join(b"133.1.%d.%d\n" % divmod(number, 256) for number in range(3_000))


def test_a_blocklist_with_a_truncated_compressed_body_is_not_renewed(one: Machine) -> None:
    serve(one, MANY)
    one.ok("refresh")
    serve(one, cut_gzip(MANY + b"133.1.200.1\n", 300))

    done = one.run("refresh", "--json")

    assert done.code == 5
    assert "the connection ended" in problem_with(done, "blocklist bad")
    assert one.gets_in("133.1.11.1") == [False]


def test_a_country_with_a_truncated_compressed_body_is_not_renewed(one: Machine) -> None:
    from geofence.model.prefixes import Family
    from tests.cli.world import JAPAN_IPV4, JAPAN_IPV6

    four = [f"{prefix.split('.')[0]}.{n}.0.0/16" for prefix in JAPAN_IPV4 for n in range(256)]
    ipv4 = country_text("JP", Family.IPV4, four)
    one.server.on("/jp-ipv4.txt", content(ipv4))
    ipv6 = content(country_text("JP", Family.IPV6, list(JAPAN_IPV6)))
    one.server.on("/jp-ipv6.txt", ipv6)
    url = one.server.url("/{cc}-{family}.txt")
    one.rule("90-source.toml", f'[source.country]\nurls = ["{url}"]\n')
    one.ok("refresh")
    # Cut so that a whole number of lines is left: nothing in the text tells.
    packer = gzip.compress(ipv4[: ipv4.rindex(b"133.250.")])[:-8]
    one.server.on("/jp-ipv4.txt", content(packer, {"Content-Encoding": "gzip"}))

    done = one.run("refresh", "--json")

    assert done.code == 5
    assert "the connection ended" in problem_with(done, "country JP")
    assert one.gets_in("133.255.1.1") == [True]


def test_ipv4_written_as_ipv6_is_blocked(fresh: Machine) -> None:
    serve(fresh, b"::ffff:133.1.2.3\n::ffff:133.1.7.0/120\n8.8.8.8\n")
    fresh.ok("refresh")
    assert fresh.gets_in(HELD, "133.1.7.9", "133.1.8.9") == [False, False, True]
    assert "blocklist bad" in fresh.ok("why", "133.1.7.9").out


@pytest.mark.parametrize("bad", [b"176.221.42.3254.174.140.223", b"195.78.82.0/234  China", b"Tue"])
def test_one_wrong_line_leaves_the_rest_of_a_blocklist(one: Machine, bad: bytes) -> None:
    serve(one, b"133.1.0.0/16\n" + bad + b"\n133.2.0.0/16\n")
    done = one.ok("refresh", "--json")
    name, data = fact(done, NoteKind.LIST_LINES_SKIPPED)
    assert (name, data["number"]) == ("blocklist bad", 1)
    assert one.gets_in(HELD, "133.2.0.1", "133.3.0.1") == [False, False, True]


def test_a_blocklist_that_its_publisher_emptied_waits_for_its_override(one: Machine) -> None:
    serve(one, b"# rude\n133.1.0.0/16\n")
    one.ok("refresh")
    serve(one, b"# nobody is rude any more\n")

    refused = one.run("refresh")
    assert refused.code == 5
    assert "--accept shrink=bad" in refused.err
    assert one.gets_in(HELD) == [False]

    one.ok("refresh", "--accept", "shrink=bad")
    assert one.gets_in(HELD) == [True]
    assert one.ok("refresh", "--json").json["changed"] is False
    assert one.ok("status").code == 0

    serve(one, b"# again\n133.1.0.0/16\n")
    one.ok("refresh")
    assert one.gets_in(HELD) == [False]


def test_a_first_blocklist_without_entries_waits_for_its_override(one: Machine) -> None:
    serve(one, b"# soon\n")
    refused = one.run("refresh")
    assert refused.code == 5
    assert "contains no prefix, only comments" in refused.err
    one.ok("refresh", "--accept", "first-run=bad")
    one.ok("refresh")


def test_special_purpose_space_in_a_blocklist_is_reported_once(one: Machine) -> None:
    serve(one, b"10.0.0.0/8\n133.1.0.0/16\n")
    assert NoteKind.BLOCKLIST_LEFT_OUT in kinds(one.ok("refresh", "--json"))
    assert NoteKind.BLOCKLIST_LEFT_OUT not in kinds(one.ok("refresh", "--json"))


def two_mirrors(machine: Machine) -> None:
    urls = [machine.server.url("/{cc}.json"), machine.server.url("/old/{cc}.json")]
    machine.rule("90-source.toml", f"[source.country]\nurls = {json.dumps(urls)}\n")


def test_a_mirror_with_an_older_copy_is_reported(one: Machine) -> None:
    two_mirrors(one)
    one.server.on("/old/jp.json", content(japan()))
    one.ok("refresh")
    one.serve("JP", japan_later())
    one.ok("refresh")
    one.serve("JP", status(404))

    done = one.ok("refresh", "--json")

    assert fact(done, NoteKind.LIST_WENT_BACK)[0] == "country JP"
    assert one.gets_in(GONE, COME) == [True, False]


def age_histories(state: Path, days: int) -> None:
    """Make it so long since each list became what it is."""
    for path in (state / "lists").glob("*.versions"):
        known = json.loads(path.read_text())
        then = datetime.now(UTC) - timedelta(days=days)
        for version in known["versions"]:
            version["first_accepted_at"] = version["accepted_at"] = then.isoformat()
        path.write_text(json.dumps(known))


def test_an_unchanging_list_is_reported(one: Machine) -> None:
    one.ok("refresh")
    age_histories(one.state, 20)
    assert NoteKind.LIST_UNCHANGING not in kinds(one.ok("refresh", "--json"))
    age_histories(one.state, 365)
    for verb in ("refresh", "status"):
        assert fact(one.ok(verb, "--json"), NoteKind.LIST_UNCHANGING)[0] == "country JP"
    one.serve("JP", japan_later())
    assert NoteKind.LIST_UNCHANGING not in kinds(one.ok("refresh", "--json"))


def test_mirrors_are_compared_on_request(one: Machine) -> None:
    two_mirrors(one)
    one.server.on("/old/jp.json", content(japan()))
    one.ok("refresh")
    compared = one.ok("plan", "--compare-mirrors", "--json")
    assert fact(compared, NoteKind.MIRRORS_AGREE)[1] == {"agreeing": 1, "compared": 1}
    one.serve("JP", japan_later())

    told = one.ok("refresh", "--compare-mirrors", "--json")

    first, second = one.server.url("/jp.json"), one.server.url("/old/jp.json")
    subject, data = fact(told, NoteKind.MIRRORS_DIFFER)
    assert (subject, data["mirrors"]) == ("country JP", [first, second])
    assert f"{second} +65,536 IPv4, -65,536 IPv4 (an older version, first accepted 2" in told.err
    assert fact(told, NoteKind.MIRRORS_AGREE)[1] == {"agreeing": 0, "compared": 1}

    one.server.on("/old/jp.json", status(404))
    gone = one.ok("refresh", "--compare-mirrors").err
    assert "/old/jp.json: HTTP 404" in gone


def test_comparing_needs_several_mirrors(one: Machine) -> None:
    told = one.ok("plan", "--compare-mirrors", "--json")
    assert kinds(told) == [NoteKind.MIRRORS_NOT_COMPARED]


def test_a_requested_pause_holds_for_later_runs(one: Machine) -> None:
    with one.another_server() as mirror:
        first, second = one.server.url("/{cc}.json"), mirror.url("/{cc}.json")
        mirror.on("/jp.json", content(japan()))
        one.rule("90-source.toml", f'[source.country]\nurls = ["{first}", "{second}"]\n')
        one.serve("JP", status(429, retry_after="7200"))
        one.ok("refresh")
        one.ok("refresh")
        one.ok("plan")
    assert one.server.asked("/jp.json") == 1


def test_comparing_mirrors_excludes_offline(one: Machine) -> None:
    done = one.run("plan", "--offline", "--compare-mirrors")
    assert done.code == 2
    assert "exclude each other" in done.err
