"""``[asterisk] follow``: the fence follows Asterisk's configuration, and no further than it may."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from geofence.errors import ExitCode
from geofence.model.notes import NoteKind
from geofence.model.policy import Protocol
from geofence.state.generations import GenerationStore
from tests.cli.facts import fact, kinds
from tests.cli.machine import Machine
from tests.cli.pbx import RTP, TRANSPORT, Pbx
from tests.support.name_server import asking

TRUNK, ELSEWHERE, BROAD = "198.18.7.9", "198.18.8.9", "20.3.4.5"


def fenced(machine: Machine, port: int, protocol: Protocol = Protocol.UDP) -> bool:
    """Whether the ruleset in force fences a port."""
    newest, _ = GenerationStore(machine.state).newest()
    assert newest is not None
    return any(
        ports.protocol is protocol and port in ports
        for service in newest.ruleset.services
        for ports in service.ports
    )


@pytest.fixture
def pbx(one: Machine) -> Pbx:
    return Pbx(one)


def test_ports_and_trunks_of_the_configuration_are_in_the_fence(fresh: Machine) -> None:
    Pbx(fresh)
    planned = fresh.ok("plan", "--json")
    assert {NoteKind.ASTERISK_FENCED, NoteKind.ASTERISK_TRUNK_ADDED} <= set(kinds(planned))
    assert fact(planned, NoteKind.ASTERISK_TRUNK_ADDED) == (
        "asterisk-north",
        {
            "sources": ["identify north match"],
            "hosts": [],
            "addresses": ["198.18.7.0/24"],
            "services": ["sip", "rtp"],
            "remarks": [],
        },
    )
    assert not fresh.state.joinpath("asterisk").exists()

    fresh.ok("refresh")

    assert fresh.gets_in(TRUNK, ELSEWHERE) == [True, False]
    assert fresh.gets_in(TRUNK, ELSEWHERE, service="rtp") == [True, False]
    assert all(fenced(fresh, port) for port in (5060, 5070, 30000, 30101))
    assert not fenced(fresh, 30102)
    again = fresh.ok("refresh", "--json")
    assert [kind for kind in kinds(again) if kind.startswith("asterisk")] == []
    assert again.json["changed"] is False
    assert fresh.ok("status", "--json").json["rules_edited"] is False


def test_without_follow_the_configuration_is_nobodys_business(pbx: Pbx, one: Machine) -> None:
    one.rule("40-follow.toml", f'[asterisk]\ndirectory = "{pbx.directory}"\n')
    one.ok("refresh")
    assert one.gets_in(TRUNK) == [False]
    assert not fenced(one, 5070)


def test_a_moved_port_is_fenced_and_the_former_stays_until_somebody_agrees(
    pbx: Pbx, one: Machine
) -> None:
    one.ok("refresh")
    pbx.listen(5072)
    said = one.ok("plan").err
    assert "Asterisk's configuration adds 5072/udp to sip (pjsip.conf [udp])." in said
    moved = one.ok("apply", "--json")
    assert fact(moved, NoteKind.ASTERISK_STILL_FENCED) == (
        "sip",
        {"ports": ["5070/udp"], "accept": "unfenced=sip"},
    )
    assert [fenced(one, port) for port in (5070, 5072)] == [True, True]
    agreed = one.ok("apply", "--accept", "unfenced=sip", "--json")
    assert fact(agreed, NoteKind.ASTERISK_NOT_FENCED)[0] == "sip"
    assert [fenced(one, port) for port in (5070, 5072)] == [False, True]
    assert "asterisk" not in "".join(kinds(one.ok("apply", "--json")))


def test_a_service_that_would_lose_its_fence_is_refused_and_keeps_its_trunks(
    pbx: Pbx, one: Machine
) -> None:
    one.ok("refresh")
    pbx.write("pjsip.conf", "")
    refused = one.run("refresh", "--json")
    assert refused.code == ExitCode.DEGRADED
    subject, data = fact(refused, NoteKind.ASTERISK_REFUSED)
    assert (subject, data["check"], data["accept"]) == ("sip", "unfenced", "unfenced=sip")
    assert (fenced(one, 5070), one.gets_in(TRUNK)) == (True, [True])
    again = one.run("refresh", "--json")
    assert fact(again, NoteKind.ASTERISK_REFUSED)[0] == "sip"
    one.ok("refresh", "--accept", "unfenced=sip")
    assert (fenced(one, 5070), one.gets_in(TRUNK)) == (False, [False])


def test_an_invalid_file_keeps_the_last_reading(pbx: Pbx, one: Machine) -> None:
    one.ok("refresh")
    text = (TRANSPORT.format(port=5072)) + "[north\n"
    pbx.write("pjsip.conf", text)
    kept = one.run("refresh", "--json")
    assert kept.code == ExitCode.DEGRADED
    assert fact(kept, NoteKind.ASTERISK_INVALID)[1] == {"files": ["pjsip.conf"], "kept": True}
    assert (fenced(one, 5070), one.gets_in(TRUNK)) == (True, [True])
    pbx.listen(5070)
    assert "asterisk" not in "".join(kinds(one.ok("refresh", "--json")))


def test_a_configuration_that_is_gone_keeps_the_last_reading(pbx: Pbx, one: Machine) -> None:
    one.ok("refresh")
    pbx.directory.rename(pbx.directory.with_name("elsewhere"))
    kept = one.run("apply", "--json")
    assert kept.code == ExitCode.DEGRADED
    assert fact(kept, NoteKind.ASTERISK_UNREAD)[1]["kept"] is True
    assert (fenced(one, 5070), one.gets_in(TRUNK)) == (True, [True])


def test_a_broad_trunk_is_refused_and_the_former_stays(pbx: Pbx, one: Machine) -> None:
    one.ok("refresh")
    pbx.listen(5070, "198.18.7.0/24,20.0.0.0/8")
    refused = one.run("apply", "--json")
    assert refused.code == ExitCode.DEGRADED
    subject, data = fact(refused, NoteKind.ASTERISK_REFUSED)
    assert (subject, data["accept"]) == ("asterisk-north", "broad-trunk=asterisk-north")
    assert one.gets_in(TRUNK, BROAD) == [True, False]
    one.ok("apply", "--accept", "broad-trunk=asterisk-north")
    assert one.gets_in(TRUNK, BROAD) == [True, True]
    one.ok("apply")
    assert one.gets_in(TRUNK, BROAD) == [True, True]


@pytest.mark.parametrize("match", ["0.0.0.0/0", "127.0.0.1", "0.0.0.0/1,128.0.0.0/1"])
def test_no_file_of_asterisk_opens_the_fence_to_everybody(
    pbx: Pbx, one: Machine, match: str
) -> None:
    pbx.listen(5070, match)
    one.run("refresh")
    assert one.gets_in(TRUNK, BROAD, "8.8.8.8") == [False] * 3


def test_what_cannot_be_a_trunk_is_told_even_beside_what_is_refused(pbx: Pbx, one: Machine) -> None:
    one.ok("refresh")
    pbx.listen(5070, "20.0.0.0/8,0.0.0.0/0")
    planned = one.ok("plan", "--json")
    assert fact(planned, NoteKind.ASTERISK_REFUSED)[0] == "asterisk-north"
    assert fact(planned, NoteKind.ASTERISK_NOT_A_TRUNK)[1] == {
        "kind": "trunk-is-everybody",
        "host": "0.0.0.0/0",
    }


def test_many_trunks_do_not_add_up_to_the_internet(pbx: Pbx, one: Machine) -> None:
    one.ok("refresh")
    pbx.listen(5070, ",".join(f"{first}.1.0.0/16" for first in range(11, 40)))
    refused = one.run("apply", "--json")
    assert fact(refused, NoteKind.ASTERISK_REFUSED)[1]["accept"] == "many-trunks"
    assert one.gets_in(TRUNK, "20.1.2.3") == [True, False]


def test_a_trunk_by_name_is_resolved_by_the_run_that_finds_it(pbx: Pbx, one: Machine) -> None:
    with asking(one) as names:
        names.addresses["voice.provider.net"] = [BROAD]
        pbx.listen(5070, "voice.provider.net")
        one.ok("refresh")
        assert one.gets_in(BROAD) == [True]
        entries = one.ok("exceptions", "--json").json["exceptions"]
        [entry] = [each for each in entries if each["exception"] == "asterisk-north"]
        assert entry["active"] is True
        assert entry["derived_from"] == ["identify north match"]
        names.addresses["voice.provider.net"] = [ELSEWHERE]
        one.ok("refresh", "--names-only")
        assert one.gets_in(ELSEWHERE) == [True]


def test_an_ignored_exception_is_not_allowed(pbx: Pbx, one: Machine) -> None:
    pbx.follow('ignored = ["asterisk-north"]')
    one.ok("refresh")
    assert (fenced(one, 5070), one.gets_in(TRUNK)) == (True, [False])


@pytest.mark.parametrize("verb", ["allow", "revoke"])
@pytest.mark.parametrize("name", ["asterisk-north", "asterisk"])
@pytest.mark.usefixtures("pbx")
def test_derived_exceptions_are_not_switched_by_hand(one: Machine, verb: str, name: str) -> None:
    one.ok("refresh")
    refused = one.run(verb, name)
    assert refused.code == ExitCode.USAGE
    assert 'ignored = ["asterisk-north"]' in refused.err
    assert not one.owned.exists()


def test_an_allow_for_a_derived_service_is_kept(pbx: Pbx, one: Machine) -> None:
    pbx.write("iax.conf", "[general]\nbindport=4570\n")
    one.ok("refresh")
    one.ok("allow", ELSEWHERE, "--service", "iax")
    assert one.gets_in(ELSEWHERE, service="iax") == [True]
    assert one.gets_in(ELSEWHERE) == [False]
    one.ok("apply")
    assert one.gets_in(ELSEWHERE, service="iax") == [True]


@pytest.mark.usefixtures("pbx")
def test_a_damaged_reading_is_told_and_made_anew(one: Machine) -> None:
    one.ok("refresh")
    path = one.state / "asterisk" / "reading.json"
    path.write_bytes(path.read_bytes()[:-9])
    said = one.run("apply")
    assert said.code == ExitCode.DEGRADED
    assert "The next refresh reads the configuration anew." in said.err
    assert one.gets_in(TRUNK) == [True]
    one.ok("apply")


def test_ssh_and_other_privileged_ports_are_left_to_the_rules(pbx: Pbx, one: Machine) -> None:
    pbx.write("http.conf", "[general]\nenabled=yes\nbindaddr=0.0.0.0\nbindport=22\n")
    planned = one.ok("plan", "--json")
    assert fact(planned, NoteKind.ASTERISK_LEFT_OUT)[1]["why"] == "privileged"
    one.ok("refresh")
    assert not fenced(one, 22, Protocol.TCP)


def test_restore_brings_back_what_was_derived_without_reading_it(fresh: Machine) -> None:
    made = Pbx(fresh)
    fresh.ok("refresh")
    fresh.clear()
    made.directory.rename(made.directory.with_name("elsewhere"))
    fresh.ok("restore")
    assert fresh.gets_in(TRUNK, ELSEWHERE) == [True, False]


def test_a_narrower_range_of_rtp_stays_fenced(pbx: Pbx, one: Machine) -> None:
    one.ok("refresh")
    pbx.write("rtp.conf", RTP.format(first=30000, last=30009))
    one.ok("apply")
    assert fenced(one, 30050)
    one.ok("apply", "--accept", "unfenced=rtp")
    assert not fenced(one, 30050)


def test_it_is_followed_with_the_capabilities_of_the_unit_and_kept_without(
    pbx: Pbx, one: Machine
) -> None:
    """Debian's files belong to the user of Asterisk, and others may not read them."""
    one.wrapper = _with("net_admin", "net_raw", "dac_read_search")
    _make_asterisks(pbx.directory)
    one.ok("refresh")
    assert one.gets_in(TRUNK) == [True]
    one.wrapper = _with("net_admin", "net_raw")
    pbx.listen(5070, "198.18.8.0/24")
    _make_asterisks(pbx.directory)
    kept = one.run("apply", "--json")
    assert kept.code == ExitCode.DEGRADED
    assert fact(kept, NoteKind.ASTERISK_UNREAD)[1]["kept"] is True
    assert one.gets_in(TRUNK) == [True]


def _make_asterisks(directory: Path) -> None:
    for path in (directory, *directory.iterdir()):
        os.chown(path, 1, 1)
        path.chmod(0o750 if path.is_dir() else 0o640)


def _with(*capabilities: str) -> tuple[str, ...]:
    kept = ",".join(("-all", *(f"+{each}" for each in capabilities)))
    return ("setpriv", f"--bounding-set={kept}", "--inh-caps=-all")
