"""Feeds of exceptions by the command line: fetched, checked, stored and refused like lists."""

from __future__ import annotations

import json

import pytest

from geofence.allowed.active_exceptions import Obstacle
from geofence.model.notes import NoteKind
from tests.cli.facts import fact, problem_with
from tests.cli.machine import Done, Machine
from tests.support.list_server import Reply, content, status, tagged

HELD, LATER, STRANGER = "64.16.226.9", "64.16.227.9", "45.200.0.1"
FEW = ["64.16.226.0/24", "36.255.198.128/25", "2a05:d000:1::/48"]
NAME = "feed media"


def voice(prefixes: list[str], **more: object) -> bytes:
    """A feed as providers publish it."""
    return json.dumps({"media": [{"prefix": each} for each in prefixes], **more}).encode()


def serve(machine: Machine, *replies: Reply | bytes, rules: str = "") -> None:
    """Answer with a feed from now on, and have rules that use it."""
    answers = [content(each) if isinstance(each, bytes) else each for each in replies]
    url = machine.server.on("/voice.json", *answers)
    machine.rule("60-feed.toml", f'[exception.media]\nfeed = "{url}"\nservices = ["rtp"]\n{rules}')


def listed(done: Done) -> dict[str, object]:
    """What is said of the feed among the lists."""
    (found,) = (each for each in done.json["lists"] if each["list"] == NAME)
    return dict(found)


def arrives(machine: Machine, *sources: str) -> list[bool]:
    return machine.gets_in(*sources, service="rtp")


def test_a_feed_reaches_the_service_that_it_is_for_and_no_other(fresh: Machine) -> None:
    serve(fresh, voice(FEW))
    planned = fresh.ok("plan", "--json")
    assert listed(planned)["state"] == "renewed"
    assert listed(planned)["addresses"] == {"ipv4": 384, "ipv6": 1 << 80}
    fresh.ok("refresh")
    assert arrives(fresh, HELD, "2a05:d000:1::7", STRANGER) == [True, True, False]
    assert fresh.gets_in(HELD, service="sip") == [False]
    told = fresh.ok("status", "--json")
    assert listed(told)["state"] == "stored"
    assert "media" in told.json["exceptions"]
    assert "media" in fresh.ok("why", HELD).out
    assert fresh.run("exceptions", "--covering", HELD).out == "media\n"
    (entry,) = (
        each
        for each in fresh.ok("exceptions", "--json").json["exceptions"]
        if each["exception"] == "media"
    )
    assert entry["feed"] == fresh.server.url("/voice.json")
    assert (entry["active"], len(entry["addresses"])) == (True, 3)


def test_new_addresses_come_and_old_ones_go(fresh: Machine) -> None:
    serve(fresh, voice(FEW), voice(["64.16.227.0/24", "36.255.198.128/25", "2a05:d000:1::/48"]))
    fresh.ok("refresh")
    assert arrives(fresh, HELD, LATER) == [True, False]
    refused = fresh.run("refresh", "--json")
    assert "--accept shrink=media" in problem_with(refused, NAME), "two thirds of IPv4 are gone"
    assert arrives(fresh, HELD, LATER) == [True, False]
    fresh.ok("refresh", "--accept", "shrink=media")
    assert arrives(fresh, HELD, LATER) == [False, True]


def test_an_unchanged_feed_is_confirmed_by_its_etag(one: Machine) -> None:
    serve(one, tagged(voice(FEW), '"1"'))
    one.ok("refresh")
    assert listed(one.ok("refresh", "--json"))["state"] == "unchanged"
    *_, again = (each for each in one.server.requests if each.path == "/voice.json")
    assert again.headers["if-none-match"] == '"1"'


def test_what_changes_beside_the_prefixes_is_no_change(one: Machine) -> None:
    serve(one, voice(FEW, version=1), voice(FEW, version=2))
    one.ok("refresh")
    assert listed(one.ok("refresh", "--json"))["state"] == "unchanged"


def test_other_paths_read_a_confirmed_feed_again(one: Machine) -> None:
    body = voice(FEW, signalling=["192.76.120.10"])
    serve(one, tagged(body, '"1"'))
    one.ok("refresh")
    assert arrives(one, HELD, "192.76.120.10") == [True, True]
    serve(one, tagged(body, '"1"'), rules='paths = ["media[].prefix"]\n')
    one.ok("refresh")
    assert arrives(one, HELD, "192.76.120.10") == [True, False]
    serve(one, tagged(body, '"1"'), rules='paths = ["medias[].prefix"]\n')
    done = one.run("refresh", "--json")
    assert 'The list has nothing at "medias[].prefix".' in problem_with(done, NAME)
    assert arrives(one, HELD) == [True], "the stored version stays"


def test_a_feed_may_be_a_text_list(one: Machine) -> None:
    serve(one, "\n".join(["# media", *FEW, ""]).encode())
    one.ok("refresh")
    assert arrives(one, HELD, STRANGER) == [True, False]
    serve(one, "\n".join(FEW).encode(), rules='paths = ["media[].prefix"]\n')
    done = one.run("refresh", "--json")
    assert "The source sent no JSON, but the rules have paths" in problem_with(done, NAME)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (content(b"<html><body>Sign in</body></html>"), "HTML page instead of a list"),
        (content(b""), "is empty"),
        (content(b"[]"), "contains no prefix"),
        (content(voice(FEW)[:-9]), "not JSON, or was cut short"),
        (content(voice([*FEW, "64.16.228.1/24"])), "is not a valid prefix"),
        (content(voice([*FEW, "0.0.0.0/0"])), "--accept broad=media"),
        (content(voice([*FEW, "::/0"])), "--accept broad=media"),
        (content(voice([*FEW, "10.0.0.0/24"])), "--accept special-purpose=media"),
        (content(voice([*FEW, "192.168.0.0/24"])), "--accept special-purpose=media"),
        (content(voice([*FEW, "64.16.0.0/20"])), "--accept growth=media"),
        (content(voice(FEW[1:])), "--accept shrink=media"),
        (status(404), "404 (Not Found)"),
        (status(503), "503 (Service Unavailable)"),
    ],
)
def test_a_bad_version_is_refused_and_the_stored_one_stays(
    one: Machine, bad: Reply, why: str
) -> None:
    one.environment["GEOFENCE_PATIENCE"] = "1"
    serve(one, voice(FEW))
    one.ok("refresh")
    serve(one, bad)
    done = one.run("refresh", "--json")
    assert done.code == 5
    assert why in problem_with(done, NAME)
    assert listed(done)["state"] == "kept"
    assert arrives(one, HELD, STRANGER, "10.0.0.7", "64.16.3.1") == [True, False, False, False]


def test_last_known_stands_in_until_the_feed_is_accepted(fresh: Machine) -> None:
    serve(fresh, status(404), rules=f'last_known = ["{LATER}"]\n')
    done = fresh.run("refresh", "--json")
    assert done.code == 5
    assert listed(done)["state"] == "missing"
    assert arrives(fresh, HELD, LATER) == [False, True]
    serve(fresh, voice([f"{LATER}/32"]), rules=f'last_known = ["{LATER}"]\n')
    fresh.ok("refresh")
    assert arrives(fresh, HELD, LATER) == [False, True]


@pytest.mark.parametrize(
    ("first", "accept"),
    [(["64.16.226.0/24"], "shrink=media"), (["64.16.226.0/24", "64.16.192.0/20"], "growth=media")],
)
def test_the_first_version_is_compared_with_last_known(
    one: Machine, first: list[str], accept: str
) -> None:
    known = ["64.16.226.0/24", "64.16.228.0/24", "64.16.248.0/24"]
    texts = ", ".join(f'"{each}"' for each in known)
    serve(one, voice(first), rules=f"last_known = [{texts}]\n")
    done = one.run("refresh", "--json")
    assert f"--accept {accept}" in problem_with(done, NAME)
    assert arrives(one, HELD, "64.16.248.9", "64.16.193.1") == [True, True, False]
    one.ok("refresh", "--accept", "shrink=media", "--accept", "growth=media")
    assert arrives(one, "64.16.248.9") == [False]


def test_a_feed_without_last_known_allows_nobody_until_it_is_accepted(one: Machine) -> None:
    serve(one, status(404))
    one.run("refresh")
    (waiting,) = one.run("status", "--json").json["exceptions_waiting"]
    assert (waiting["exception"], waiting["kind"]) == ("media", Obstacle.NO_FEED)


def test_within_limits_a_feed(one: Machine) -> None:
    serve(one, voice(FEW), rules='within = ["64.16.0.0/16"]\n')
    done = one.ok("refresh", "--json")
    addresses = ["36.255.198.128/25", "2a05:d000:1::/48"]
    told = ("media", {"addresses": addresses, "feed": True})
    assert fact(done, NoteKind.OUTSIDE_PIN) == told
    assert "of its feed, since they are outside its 'within'" in done.err
    assert arrives(one, HELD, "36.255.198.129") == [True, False]


def test_allow_downloads_a_feed_that_is_new_and_asks_no_other(fresh: Machine) -> None:
    serve(fresh, voice(FEW), rules="enabled = false\n")
    fresh.ok("refresh")
    assert fresh.server.asked("/voice.json") == 0
    assert arrives(fresh, HELD) == [False]
    fresh.ok("allow", "media")
    assert arrives(fresh, HELD) == [True]
    fresh.ok("allow", STRANGER, "--service", "rtp")
    assert fresh.server.asked("/voice.json") == 1
    fresh.ok("revoke", "media")
    assert arrives(fresh, HELD) == [False]


def test_a_feed_may_be_allowed_for_a_time(fresh: Machine) -> None:
    serve(fresh, voice(FEW), rules="enabled = false\n")
    fresh.ok("refresh")
    fresh.ok("allow", "media", "--for", "8h")
    verdicts = fresh.ok("why", HELD, "--json").json["verdicts"]
    assert {each["service"]: each["now"]["verdict"] for each in verdicts} == {
        "sip": "drop",
        "rtp": "pass",
    }


def test_names_are_followed_without_touching_a_feed(fresh: Machine) -> None:
    serve(fresh, voice(FEW))
    fresh.rule(
        "61-host.toml",
        '[exception.host]\nhosts = ["nowhere.invalid"]\nlast_known = ["45.200.0.9"]\n',
    )
    fresh.run("refresh")
    asked = fresh.server.asked("/voice.json")
    fresh.run("refresh", "--names-only")
    assert arrives(fresh, HELD, "45.200.0.9", STRANGER) == [True, True, False]
    assert fresh.server.asked("/voice.json") == asked


def test_a_stored_feed_survives_a_boot_and_an_apply(fresh: Machine) -> None:
    serve(fresh, voice(FEW))
    fresh.ok("refresh")
    fresh.clear()
    fresh.ok("restore")
    assert arrives(fresh, HELD, STRANGER) == [True, False]
    fresh.ok("apply")
    assert arrives(fresh, HELD, STRANGER) == [True, False]


def test_a_feed_may_be_a_file(one: Machine) -> None:
    path = one.directory / "voice.json"
    path.write_bytes(voice(FEW))
    path.chmod(0o644)
    one.rule("60-feed.toml", f'[exception.media]\nfeed = "{path}"\nservices = ["rtp"]\n')
    one.ok("refresh")
    assert arrives(one, HELD, STRANGER) == [True, False]
    path.chmod(0o666)
    done = one.run("refresh", "--json")
    assert done.code == 5
    assert str(path) in problem_with(done, NAME)
    assert arrives(one, HELD) == [True]
