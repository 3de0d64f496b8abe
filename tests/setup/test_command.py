"""The real command without questions, on a machine of its own."""

from __future__ import annotations

import json
import socket
import tomllib
from pathlib import Path

import pytest

from geofence.setup.rules_file import RulesTable, file_text
from tests.cli.machine import Machine
from tests.setup.pbx import FOREIGN, FOREIGN_TRUNK, JAPANESE, configured, setup_file
from tests.support.list_server import status


def test_from_nothing_to_a_fence(fresh: Machine) -> None:
    done = fresh.ok("setup", "--yes", "--country", "JP")
    assert "phones in Japan (JP)" in done.out
    assert fresh.gets_in(JAPANESE, FOREIGN) == [True, False]
    assert tomllib.loads(setup_file(fresh).read_text()) == {"allow": {"countries": ["JP"]}}
    assert setup_file(fresh).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("how", ["--follow", "--fixed"])
def test_services_and_trunks_come_from_the_configuration(fresh: Machine, how: str) -> None:
    directory = configured(fresh)
    arguments = ("--country", "jp", "--asterisk-dir", str(directory), how)
    done = fresh.ok("setup", "--yes", *arguments)
    assert fresh.gets_in(JAPANESE, FOREIGN_TRUNK, FOREIGN) == [True, True, False]
    assert "5066/udp" in fresh.ok("status", "--full").out
    assert "asterisk-south (45.9.0.0/24)" in done.out
    assert "identify south match" in setup_file(fresh).read_text()


@pytest.mark.parametrize("how", ["--follow", "--fixed"])
def test_a_second_time_changes_nothing(one: Machine, how: str) -> None:
    directory = configured(one)
    one.ok("setup", "--yes", "--country", "JP", "--asterisk-dir", str(directory), how)
    before = (setup_file(one).read_bytes(), one.fence(), len(one.generations()))
    done = one.ok("setup", "--yes")  # the directory is remembered
    assert "Nothing to change" in done.out
    assert (setup_file(one).read_bytes(), one.fence(), len(one.generations())) == before


@pytest.mark.parametrize("how", ["--follow", "--fixed"])
def test_a_configuration_that_went_changes_nothing(one: Machine, how: str) -> None:
    directory = configured(one)
    one.ok("setup", "--yes", "--country", "JP", "--asterisk-dir", str(directory), how)
    before = setup_file(one).read_bytes()
    directory.rename(one.directory / "elsewhere")
    done = one.run("setup", "--yes")
    assert str(directory) in done.err
    assert setup_file(one).read_bytes() == before
    assert one.gets_in(JAPANESE, FOREIGN_TRUNK, FOREIGN) == [True, True, False]


def test_a_new_trunk_is_added_the_next_time(one: Machine) -> None:
    directory = configured(one)
    one.ok("setup", "--yes", "--country", "JP", "--asterisk-dir", str(directory), "--fixed")
    more = "[north]\ntype=identify\nmatch=45.77.1.0/28\nendpoint=north\n"
    (directory / "pjsip.conf").write_text((directory / "pjsip.conf").read_text() + more)
    facts = one.ok("setup", "--json").json
    assert facts["changes"] == [{"table": "exception.asterisk-north", "change": "added"}]
    assert facts["run"] is None
    assert one.gets_in("45.77.1.1") == [False]
    one.ok("setup", "--yes")
    assert one.gets_in("45.77.1.1", FOREIGN_TRUNK, FOREIGN) == [True, True, False]


def test_the_operators_file_stays_and_overrides(one: Machine) -> None:
    mine = one.rule("00-mine.toml", '[allow]\ncountries = ["JP"]\n')
    later = one.rule("50-later.toml", '[service.sip]\nports = ["5060/udp"]\n')
    before = (mine.read_bytes(), later.read_bytes())
    done = one.ok("setup", "--yes", "--asterisk-dir", str(configured(one)), "--fixed")
    assert (mine.read_bytes(), later.read_bytes()) == before
    written = tomllib.loads(setup_file(one).read_text())
    assert "allow" not in written
    assert "service" not in written
    assert "00-mine.toml:1 has allow.countries" in done.err.replace(":2", ":1")
    assert "50-later.toml" in done.err


def test_rules_of_the_operators_may_refer_to_what_was_written(one: Machine) -> None:
    iax = "[general]\nbindaddr=0.0.0.0\n"
    directory = configured(one)
    (directory / "iax.conf").write_text(iax)
    arguments = ("--country", "JP", "--asterisk-dir", str(directory), "--fixed")
    one.ok("setup", "--yes", *arguments)
    assert tomllib.loads(setup_file(one).read_text())["service"]["iax"] == {"ports": ["4569/udp"]}
    mine = (
        "[exception.asterisk-south]\nenabled = false\n[service.iax]\nobserve = true\n"
        '[exception.branch]\nprefixes = ["45.77.9.0/24"]\nservices = ["iax", "sip"]\n'
    )
    one.rule("50-mine.toml", mine)
    one.ok("apply")
    before = setup_file(one).read_bytes()
    assert "Nothing to change" in one.ok("setup", "--yes").out
    assert setup_file(one).read_bytes() == before
    assert one.gets_in(FOREIGN_TRUNK, "45.77.9.1") == [False, True]


def test_an_entry_that_the_catalogue_lost_is_taken_out(one: Machine) -> None:
    one.ok("setup", "--yes", "--country", "JP")
    table = RulesTable("exception.gone-provider", {"enabled": True})
    kept = RulesTable("allow", {"countries": ("JP",)})
    setup_file(one).write_text(file_text((kept, table)))  # as an older geofence wrote it
    assert one.run("refresh").code == 2
    one.ok("setup", "--yes")
    assert tomllib.loads(setup_file(one).read_text()) == {"allow": {"countries": ["JP"]}}


def test_another_country_than_the_operators_is_refused(one: Machine) -> None:
    one.rule("50-mine.toml", '[allow]\ncountries = ["JP"]\n')
    done = one.run("setup", "--yes", "--country", "DE")
    assert done.code == 2
    assert "50-mine.toml:2" in done.err
    assert not setup_file(one).exists()


def test_a_file_that_was_edited_is_not_overwritten(one: Machine) -> None:
    one.ok("setup", "--yes", "--country", "JP")
    edited = setup_file(one).read_text() + "\n[mode]\nobserve = true\n"
    setup_file(one).write_text(edited)
    done = one.run("setup", "--yes", "--country", "JP")
    assert done.code == 2
    assert "was changed by hand" in done.err
    assert setup_file(one).read_text() == edited


def test_what_cannot_be_applied_leaves_nothing(one: Machine) -> None:
    one.serve("JP", status(403))
    done = one.run("setup", "--yes", "--country", "JP")
    assert done.code == 1
    assert not setup_file(one).exists()
    assert not one.observe().sets
    one.serve("JP")
    assert list(one.rules.glob(".geofence*")) == []


def test_a_failure_keeps_the_previous_file(one: Machine) -> None:
    one.ok("setup", "--yes", "--country", "JP")
    before = (setup_file(one).read_bytes(), one.fence())
    one.serve("DE", status(404))
    done = one.run("setup", "--yes", "--country", "JP", "--country", "DE")
    assert done.code == 1
    assert (setup_file(one).read_bytes(), one.fence()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--yes", "--country", "Japan"), "JP"),
        (("--yes", "--country", "@nowhere"), "unknown region"),
        (("--yes", "--country", "JP", "--asterisk-dir", "/nowhere"), "is not a directory"),
        (("--yes", "--country", "JP", "--mail", "-x"), "is not a mail address"),
        (("--yes", "--country", "JP", "--confirm-within", "1s"), "out of range"),
        (("--country", "JP"), "is not a terminal"),
    ],
)
def test_mistakes_change_nothing(one: Machine, arguments: tuple[str, ...], said: str) -> None:
    done = one.run("setup", *arguments)
    assert done.code == 2
    assert said in done.err
    assert not setup_file(one).exists()
    assert not one.observe().sets


def test_dry_run_and_json_change_nothing(one: Machine) -> None:
    directory = str(configured(one))
    done = one.ok("setup", "--dry-run", "--yes", "--country", "JP", "--asterisk-dir", directory)
    assert "Nothing has been changed." in done.out
    facts = one.ok("setup", "--json", "--country", "JP", "--asterisk-dir", directory).json
    assert facts["answers"]["follow"] is True
    assert {each["topic"] for each in facts["questions"]} == {"follow"}
    assert tomllib.loads(facts["rules"])["asterisk"]["directory"] == directory
    assert facts["plan"]["changes"] is True
    assert not setup_file(one).exists()
    assert not one.state.exists() or not one.generations()


def test_json_with_yes_tells_what_was_done(one: Machine) -> None:
    facts = one.ok("setup", "--json", "--yes", "--country", "JP").json
    assert facts["run"]["generation"] == 1
    assert setup_file(one).read_text() == facts["rules"]


def test_what_listens_is_found_with_its_program(one: Machine) -> None:
    with one.host.entered():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("0.0.0.0", 5060))  # noqa: S104 - as a PBX does
    with made:
        facts = one.ok("setup", "--json", "--country", "JP").json
    (found,) = [each for each in facts["found"]["listening"] if each["port"] == "5060/udp"]
    assert found["programs"]


def test_a_vpn_is_trusted_by_its_interface(one: Machine) -> None:
    one.tool("ip", "tuntap", "add", "tun7", "mode", "tun")
    facts = one.ok("setup", "--json", "--country", "JP").json
    if facts["found"]["tunnels"] != [{"name": "tun7", "kind": "tun", "way_out": False}]:
        pytest.fail(str(facts["found"]))
    one.ok("setup", "--yes", "--country", "JP", "--vpn")
    assert tomllib.loads(setup_file(one).read_text())["local"] == {"interfaces": ["lo", "tun7"]}
    one.tool("ip", "link", "delete", "tun7")
    assert "Nothing to change" in one.ok("setup", "--yes").out


def test_a_vpn_with_the_default_route_is_not_trusted(one: Machine) -> None:
    one.tool("ip", "tuntap", "add", "tun7", "mode", "tun")
    one.tool("ip", "link", "set", "tun7", "up")
    one.tool("ip", "route", "add", "default", "dev", "tun7")
    done = one.ok("setup", "--yes", "--country", "JP")
    assert "leads to the Internet" in done.err
    assert "local" not in tomllib.loads(setup_file(one).read_text())


def test_the_session_by_which_one_came_is_named(one: Machine) -> None:
    one.environment["SSH_CONNECTION"] = "203.0.113.9 40000 192.0.2.1 22"
    done = one.ok("setup", "--yes", "--country", "JP")
    assert "SSH is not fenced: your session from 203.0.113.9 to port 22/tcp" in done.err


def test_ssh_on_a_fenced_port_is_refused(one: Machine) -> None:
    one.environment["SSH_CONNECTION"] = "203.0.113.9 40000 192.0.2.1 5061"
    done = one.run("setup", "--yes", "--country", "JP")
    assert done.code == 3
    assert "would block your SSH session" in done.err
    assert not setup_file(one).exists()


def test_sshd_on_a_fenced_port_is_refused_without_a_session_too(one: Machine) -> None:
    own = Path("/proc/self/comm")
    before = own.read_text("utf-8")
    with one.host.entered():
        made = socket.create_server(("0.0.0.0", 5061))  # noqa: S104 - as sshd does
    own.write_text("sshd", "utf-8")
    try:
        done = one.run("setup", "--yes", "--country", "JP")
        assert done.code == 3
        assert "sshd listens on port 5061/tcp" in done.err
        assert not setup_file(one).exists()
        assert not one.observe().sets
        one.ok("setup", "--yes", "--country", "JP", "--accept", "ssh")
    finally:
        own.write_text(before, "utf-8")
        made.close()


def test_notification_is_written_and_tested(one: Machine) -> None:
    url = one.directory / "webhook"
    url.write_text("http://127.0.0.1:9/s3cret\n")
    url.chmod(0o600)
    one.ok("setup", "--yes", "--country", "JP", "--mail", "root", "--webhook-file", str(url))
    written = tomllib.loads(setup_file(one).read_text())
    assert written["notify"] == {"mail": ["root"], "webhook_file": str(url)}
    assert one.run("notify", "--test").code == 1
    assert "Nothing to change" in one.ok("setup", "--yes").out


def test_registered_phones_tell_the_country_and_a_push_server(one: Machine) -> None:
    one.ok("refresh")  # the list of Japan is the only one that is known
    uris = ("sip:a@133.1.2.3:5060", "sip:b@133.1.2.4", "sip:c@35.185.177.49", "sip:d@phone.local")
    lines = [
        f"/registrar/contact/{uri[4]};@{number:032x} : {json.dumps({'uri': uri})}"
        for number, uri in enumerate(uris)
    ]
    program = one.directory / "asterisk-rx"
    said = "\n".join(lines)
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    program.chmod(0o755)
    one.rule("50-cli.toml", f'[asterisk]\ncli = "{program}"\n')
    facts = one.ok("setup", "--json").json
    questions = {each["topic"]: each for each in facts["questions"]}
    assert questions["countries"]["likely"][0]["country"] == "JP"
    assert "contacts" in questions["countries"]["likely"][0]["evidence"]
    assert questions["providers"]["about"] == ["push-as"]


def test_the_country_of_this_host_is_that_of_its_address(one: Machine) -> None:
    one.tool("ip", "address", "add", "133.1.2.9/32", "dev", "lo")
    facts = one.ok("setup", "--json", "--country", "JP").json["found"]
    assert (facts["addresses"], facts["country"]) == (["133.1.2.9"], None)  # no list knows it yet
    one.ok("refresh")
    questions = one.ok("setup", "--json").json["questions"]
    assert questions[0]["default"] == ["JP"]
    assert questions[0]["likely"][0]["evidence"][0] == "host-address"


def called_by(where: Machine, *callers: str) -> None:
    """Conversations with the SIP port that go on now."""
    for caller in callers:
        where.tool(
            *("conntrack", "-I", "-p", "udp", "-s", caller, "-d", "127.0.0.1"),
            *("--sport", "5060", "--dport", "5060", "-t", "300", "-u", "SEEN_REPLY,ASSURED"),
        )


def test_who_talks_now_and_would_be_cut_off_is_named(fresh: Machine) -> None:
    called_by(fresh, JAPANESE, FOREIGN)
    done = fresh.ok("setup", "--dry-run", "--country", "JP")
    assert f"Talks now and would be CUT OFF: {FOREIGN} (sip 1)" in done.out
    facts = fresh.ok("setup", "--json", "--country", "JP").json
    assert {each["address"] for each in facts["found"]["peers"]} == {JAPANESE, FOREIGN}


def test_who_talks_now_and_stays_is_counted(one: Machine) -> None:
    called_by(one, JAPANESE)
    done = one.ok("setup", "--dry-run", "--country", "JP")
    assert "1 source talks to these ports now. It stays connected." in done.out


def test_rules_that_cut_off_most_who_talk_are_refused(one: Machine) -> None:
    called_by(one, "45.9.1.1", "45.10.1.1", "45.11.1.1", "45.12.1.1")
    done = one.run("setup", "--yes", "--country", "JP")
    assert done.code == 3
    assert "live-sources" in done.err
    assert not setup_file(one).exists()
    one.ok("setup", "--yes", "--country", "JP", "--accept", "live-sources")


HOSTILE = """\
[a"]
type=identify
endpoint=a
match=45.9.7.1,evil".example
[b\x1b]0;owned\x07]
type=transport
protocol=udp
bind=0.0.0.0:5067
["
[allow]
countries=["KP"]
]
type=registration
server_uri=sip:x"];[allow]
client_uri=sip:x
"""


@pytest.mark.parametrize("how", ["--follow", "--fixed"])
def test_a_hostile_configuration_stays_in_its_place(one: Machine, how: str) -> None:
    directory = configured(one, HOSTILE)
    arguments = ("--country", "JP", "--asterisk-dir", str(directory), how)
    done = one.run("setup", "--yes", *arguments)  # it also looks for escapes and tracebacks
    assert done.code in (0, 5), done
    assert one.gets_in(JAPANESE, FOREIGN) == [True, False]
    assert tomllib.loads(setup_file(one).read_text())["allow"] == {"countries": ["JP"]}


def test_a_directory_without_a_configuration(one: Machine, tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    done = one.ok("setup", "--yes", "--country", "JP", "--asterisk-dir", str(empty))
    assert str(empty) in done.err
    assert one.gets_in(JAPANESE, FOREIGN) == [True, False]
