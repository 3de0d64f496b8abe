"""The daemon follows Asterisk's configuration as it is written."""

from __future__ import annotations

from tests.cli.machine import Machine
from tests.cli.pbx import TRANSPORT, Pbx
from tests.support.name_server import asking
from tests.test_daemon import daemon

TRUNK, ELSEWHERE = "198.18.7.9", "198.18.8.9"


def test_a_new_trunk_and_port_come_in_without_a_download(fresh: Machine) -> None:
    pbx = Pbx(fresh)
    with asking(fresh) as names:
        names.addresses["voice.provider.net"] = ["45.90.0.1"]
        fresh.ok("refresh")
        asked = len(fresh.server.requests)
        with daemon(fresh) as running:
            running.until("watching every")
            pbx.listen(5072, "198.18.8.0/24,voice.provider.net")
            running.until("asterisk: Asterisk's configuration adds 5072/udp to sip")
            running.until("asterisk: Asterisk's configuration changes the exception asterisk-north")
            running.until("asterisk: updated")
            assert fresh.gets_in(TRUNK, ELSEWHERE, "45.90.0.1") == [False, True, True]
            assert running.end().code == 0
    assert len(fresh.server.requests) == asked
    status = fresh.ok("status", "--json").json
    assert (status["drift"], status["rules_edited"]) == ([], False)


def test_what_changed_while_it_was_down_is_followed(one: Machine) -> None:
    pbx = Pbx(one)
    one.ok("refresh")
    pbx.listen(5070, "198.18.8.0/24")
    with daemon(one) as running:
        running.until("asterisk: updated")
        assert one.gets_in(TRUNK, ELSEWHERE) == [False, True]
        assert running.end().code == 0


def test_rules_that_somebody_is_writing_are_not_applied_by_the_panel(one: Machine) -> None:
    pbx = Pbx(one)
    one.ok("refresh")
    with daemon(one) as running:
        running.until("watching every")
        one.rule("61-edited.toml", "exception.home.enabled = false\n")
        pbx.listen(5070, "198.18.8.0/24")
        running.until("asterisk: Asterisk's configuration has changed, and so have the rules")
        assert one.gets_in(TRUNK, ELSEWHERE, "45.88.0.7") == [True, False, True]
        assert running.end().code == 0
    one.ok("apply")
    assert one.gets_in(TRUNK, ELSEWHERE, "45.88.0.7") == [False, True, False]


def test_an_invalid_file_is_told_and_changes_nothing_until_it_is_mended(one: Machine) -> None:
    pbx = Pbx(one)
    one.ok("refresh")
    with daemon(one) as running:
        running.until("watching every")
        pbx.write("pjsip.conf", TRANSPORT.format(port=5070) + "[north\n")
        running.until("asterisk: Asterisk refuses these files")
        assert one.gets_in(TRUNK, ELSEWHERE) == [True, False]
        assert one.ok("status", "--json").json["last_run"]["command"] == "asterisk"
        pbx.listen(5070, "198.18.8.0/24")
        running.until("asterisk: updated")
        assert one.gets_in(TRUNK, ELSEWHERE) == [False, True]
        assert running.end().code == 0


def test_rules_may_begin_to_follow(one: Machine) -> None:
    one.ok("refresh")
    with daemon(one) as running:
        running.until("watching every")
        Pbx(one)
        one.ok("apply")
        (one.directory / "etc-asterisk" / "pjsip.conf").write_text(TRANSPORT.format(port=5080))
        running.until("asterisk: Asterisk's configuration adds 5080/udp to sip")
        running.until("asterisk: updated")
        assert running.end().code == 0
