"""What ``setup`` proposes, without a machine."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.guards.lockout import SshSession
from geofence.model.address import Address
from geofence.model.evidence import Evidence
from geofence.model.notes import NoteKind
from geofence.model.policy import Origin, Policy, Protocol
from geofence.operations.site import shipped_rules
from geofence.policy.files import RulesFile
from geofence.policy.load import combined
from geofence.policy.mistakes import Problems
from geofence.sentences import sentence
from geofence.setup.answers import Answers, Topic, open_questions, with_defaults
from geofence.setup.machine import Existing, LikelyCountry, Machine, Tunnel
from geofence.setup.proposal import Proposal, Step, TableChange, propose
from geofence.setup.rules_file import read_tables
from tests.setup.found import SHIPPED, TRUNK, existing, holding, listening, with_files, with_trunk

FIXED = Answers(countries=("JP",), follow=False)
FOLLOWING = Answers(countries=("JP",), follow=True)


def rules(proposal: Proposal) -> dict[str, Any]:
    return tomllib.loads(proposal.text)


def loaded(proposal: Proposal) -> Policy:
    """The policy of what ships and what is proposed."""
    files = [
        RulesFile(path.name, path.read_text("utf-8"))
        for path in sorted(shipped_rules().glob("*.toml"))
    ]
    return combined([*files, RulesFile("00-setup.toml", proposal.text)], Problems())


def after(proposal: Proposal, before: Existing) -> Existing:
    """The rules once the proposal was carried out."""
    tables = {table.heading: dict(table.keys) for table in read_tables(proposal.text)}
    return replace(before, setup=tables, has_file=True)


def topics(found: Machine, before: Existing, answers: Answers = Answers()) -> list[Topic]:  # noqa: B008
    return [each.topic for each in open_questions(found, before, answers)]


def test_a_host_with_nothing_gets_its_countries_only() -> None:
    proposal = propose(Machine(), Answers(countries=("JP", "@nordics")), existing())
    assert rules(proposal) == {"allow": {"countries": ["JP", "@nordics"]}}
    assert "FI" in loaded(proposal).countries
    assert [note.kind for note in proposal.notes][:1] == [NoteKind.SETUP_NO_ASTERISK]


def test_fixed_rules_have_ports_and_trunks_of_the_configuration() -> None:
    proposal = propose(with_trunk(), FIXED, existing())
    policy = loaded(proposal)
    ports = {service.name: list(map(str, service.ports)) for service in policy.services}
    assert ports["sip"] == ["5060/udp", "5066/udp", "5060-5061/tcp"]
    assert ports["rtp"] == ["10000-20000/udp"]
    made = {each.name: each for each in policy.exceptions if each.name.startswith("asterisk-")}
    assert made["asterisk-north"].hosts == ("sip.north.example",)
    assert set(made["asterisk-south"].services) == {"sip", "rtp"}
    assert "pjsip.conf [udp]" in proposal.text
    assert "identify south match" in proposal.text


def test_rules_that_follow_have_no_copy_of_the_configuration() -> None:
    proposal = propose(with_trunk(), FOLLOWING, existing())
    assert rules(proposal) == {"allow": {"countries": ["JP"]}, "asterisk": {"follow": True}}
    assert "# - 5066/udp for sip: pjsip.conf [udp]" in proposal.text


@pytest.mark.parametrize("answers", [FIXED, FOLLOWING])
def test_a_second_time_nothing_changes(answers: Answers) -> None:
    first = propose(with_trunk(), answers, existing())
    again = propose(with_trunk(), Answers(), after(first, existing()))
    assert set(first.changes or {}) == {table.heading for table in first.tables}
    assert again.changes == {}
    assert again.is_empty
    assert topics(with_trunk(), after(first, existing())) == []


def test_a_new_trunk_is_all_that_changes() -> None:
    first = propose(with_trunk(), FIXED, existing())
    more = "[east]\ntype=identify\nmatch=198.18.9.1\nendpoint=east\n"
    again = propose(with_files({"pjsip.conf": TRUNK + more}), Answers(), after(first, existing()))
    assert again.changes == {"exception.asterisk-east": TableChange.ADDED}


def test_a_trunk_that_went_is_removed_but_not_for_a_file_that_cannot_be_read() -> None:
    before = after(propose(with_trunk(), FIXED, existing()), existing())
    gone = propose(with_files({"pjsip.conf": "[x]\ntype=aor\n"}), Answers(), before)
    assert (gone.changes or {})["exception.asterisk-north"] is TableChange.REMOVED
    broken = propose(with_files({"pjsip.conf": "[x\n"}), Answers(), before)
    assert broken.changes == {}
    assert propose(Machine(), Answers(), before).changes == {}


def test_what_the_operator_wrote_is_neither_written_nor_asked() -> None:
    policy = replace(SHIPPED, countries=("DE",), interfaces=("lo", "eth9"))
    before = Existing(
        policy,
        {
            "allow.countries": Origin("/etc/geofence/rules.d/50-mine.toml", 3),
            "local.interfaces": Origin("/etc/geofence/rules.d/50-mine.toml", 5),
            "asterisk.follow": Origin("/etc/geofence/rules.d/50-mine.toml", 7),
            "notify.command": Origin("/etc/geofence/rules.d/50-mine.toml", 9),
        },
    )
    found = replace(with_trunk(), tunnels=(Tunnel("wg0", "wireguard", False),), has_mta=True)
    assert topics(found, before) == []
    proposal = propose(found, Answers(countries=("JP",), tunnels=True), before)
    assert {table.heading for table in proposal.tables}.isdisjoint({"allow", "local", "asterisk"})
    assert proposal.countries == ("DE",)
    said = [note for note in proposal.notes if note.kind is NoteKind.SETUP_RULES_SAY]
    assert "50-mine.toml:3" in sentence(said[0])


def test_ports_that_the_operators_service_leaves_out_are_told() -> None:
    place = Origin("/etc/geofence/rules.d/50-mine.toml", 3)
    before = Existing(SHIPPED, {"service.sip.ports": place})
    proposal = propose(with_trunk(), FIXED, before)
    assert "service.sip" not in {table.heading for table in proposal.tables}
    (note,) = [note for note in proposal.notes if note.kind is NoteKind.SETUP_NOT_FENCED]
    assert (
        sentence(note) == f"Asterisk listens on 5066/udp, which {place} leaves out. Add it there."
    )


@pytest.mark.parametrize("program", ["asterisk", "nginx"])
def test_a_port_below_1024_is_fenced_if_asterisk_itself_holds_it(program: str) -> None:
    files = {
        "http.conf": "[general]\nenabled=yes\nbindaddr=0.0.0.0\nbindport=80\n",
        "pjsip.conf": "[x]\ntype=aor\n",
    }
    found = holding(with_files(files), listening(80, Protocol.TCP, program))
    for answers in (FIXED, FOLLOWING):
        services = rules(propose(found, answers, existing())).get("service", {})
        assert services == ({"web": {"ports": ["80/tcp"]}} if program == "asterisk" else {})


def test_without_a_configuration_a_pbx_that_listens_counts() -> None:
    found = holding(
        Machine(),
        listening(5070, Protocol.UDP, "kamailio"),
        listening(5071, Protocol.UDP, "python3"),
        listening(40000, Protocol.UDP, "asterisk"),
    )
    services = rules(propose(found, FIXED, existing()))["service"]
    assert services == {"sip": {"ports": ["5060/udp", "5070/udp", "5060-5061/tcp"]}}


def test_a_vpn_is_trusted_but_not_one_that_leads_to_the_internet() -> None:
    tunnels = (Tunnel("wg0", "wireguard", False), Tunnel("tun0", "tun", True))
    found = Machine(tunnels=tunnels)
    (question,) = [
        each for each in open_questions(found, existing(), Answers()) if each.topic is Topic.TUNNELS
    ]
    assert question.about == ("wg0",)
    yes = propose(found, Answers(countries=("JP",), tunnels=True), existing())
    assert rules(yes)["local"] == {"interfaces": ["lo", "wg0"]}
    kinds = [note.kind for note in yes.notes]
    assert NoteKind.SETUP_WAY_OUT in kinds
    no = propose(found, Answers(countries=("JP",), tunnels=False), existing())
    assert "local" not in rules(no)
    # Refused once, it stays so; trusted once, it stays so even while the VPN is down.
    assert propose(found, Answers(), after(no, existing())).changes == {}
    assert propose(Machine(), Answers(), after(yes, existing())).changes == {}


def test_a_known_provider_is_offered_with_its_media() -> None:
    files = {
        "pjsip.conf": (
            "[t]\ntype=registration\nserver_uri=sip:me.pstn.twilio.com\nclient_uri=sip:x@y\n"
        )
    }
    found = with_files(files)
    (question,) = [
        each
        for each in open_questions(found, existing(), Answers())
        if each.topic is Topic.PROVIDERS
    ]
    assert set(question.about) == {"twilio-sip", "twilio-media"}
    proposal = propose(found, Answers(countries=("JP",), follow=True, providers=True), existing())
    assert {
        each.name for each in loaded(proposal).enabled_exceptions() if each.group == "twilio"
    } == {"twilio-sip", "twilio-media"}
    assert propose(found, Answers(), after(proposal, existing())).changes == {}


def test_a_push_server_that_is_registered_is_offered() -> None:
    contact = Address.parse("35.185.177.49")
    found = replace(with_trunk(), contacts=(contact, Address.parse("198.51.100.7")))
    (question,) = [
        each
        for each in open_questions(found, existing(), Answers())
        if each.topic is Topic.PROVIDERS
    ]
    assert question.about == ("push-as",)
    proposal = propose(found, Answers(countries=("JP",), providers=True), existing())
    assert rules(proposal)["exception"]["push-as"] == {"enabled": True}


def test_a_host_that_only_looks_like_a_providers_is_not_offered() -> None:
    files = {"pjsip.conf": "[t]\ntype=registration\nserver_uri=sip:pstn.twilio.com.evil.example\n"}
    assert Topic.PROVIDERS not in topics(with_files(files), existing())


def test_a_prefix_as_broad_as_a_country_is_not_written() -> None:
    files = {"pjsip.conf": "[w]\ntype=identify\nendpoint=w\nmatch=52.0.0.0/8\n"}
    proposal = propose(with_files(files), FIXED, existing())
    assert "exception" not in rules(proposal)
    assert NoteKind.SETUP_TOO_BROAD in [note.kind for note in proposal.notes]


def test_an_ssh_port_among_the_services_is_told() -> None:
    ssh = SshSession.parse("203.0.113.9 40000 192.0.2.1 5061")
    (note, *_) = propose(replace(Machine(), ssh=ssh), FIXED, existing()).notes
    assert "or SSH will be fenced" in sentence(note)
    other = SshSession.parse("203.0.113.9 40000 192.0.2.1 22")
    (note, *_) = propose(replace(Machine(), ssh=other), FIXED, existing()).notes
    assert "is not affected" in sentence(note)


def test_defaults_are_the_likely_ones() -> None:
    likely = (LikelyCountry("JP", (Evidence.ZONE,)), LikelyCountry("US", (Evidence.OPERATOR,)))
    found = replace(
        with_trunk(),
        likely=likely,
        has_fail2ban=True,
        has_systemd=True,
        has_units=True,
        has_mta=True,
        tunnels=(Tunnel("wg0", "wireguard", False),),
    )
    questions = open_questions(found, existing(), Answers())
    assert [each.topic for each in questions] == [
        Topic.COUNTRIES,
        Topic.FOLLOW,
        Topic.TUNNELS,
        Topic.MAIL,
        Topic.FAIL2BAN,
        Topic.UNITS,
    ]
    proposal = propose(found, with_defaults(Answers(), questions), existing())
    assert rules(proposal)["allow"] == {"countries": ["JP"]}
    assert proposal.steps == (Step.FAIL2BAN, Step.UNITS)
    assert "so says the time zone" in proposal.text


@pytest.mark.parametrize("weak", [Evidence.PEERS, Evidence.OPERATOR])
def test_a_country_of_weak_evidence_is_shown_and_not_taken(weak: Evidence) -> None:
    found = Machine(likely=(LikelyCountry("US", (weak,)),))
    (question,) = open_questions(found, existing(), Answers())
    assert question.default == ()
    both = (LikelyCountry("US", (weak,)), LikelyCountry("JP", (Evidence.LOCALE, weak)))
    (question,) = open_questions(Machine(likely=both), existing(), Answers())
    assert question.default == ("JP",)


def test_units_and_jail_are_for_the_usual_directories_only() -> None:
    found = Machine(has_fail2ban=True, has_systemd=True, has_units=True, standard=False)
    assert topics(found, existing(), Answers(countries=("JP",))) == []


def test_a_configuration_that_asterisk_refuses_is_not_followed_by_default() -> None:
    questions = open_questions(with_files({"pjsip.conf": "[x\n"}), existing(), Answers())
    (follow,) = [each for each in questions if each.topic is Topic.FOLLOW]
    assert follow.default is False


HOSTILE = st.sampled_from(
    ['"', "'", "\\", "\x1b[2J", "\x07", "\u202e", "\u2028", "]", "[", "=", "\t", "'''", '"""', "#"]
) | st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])


@given(st.lists(HOSTILE, max_size=12).map("".join))
def test_nothing_in_the_configuration_gets_out_of_its_place(text: str) -> None:
    files = {
        "pjsip.conf": (
            f"[{text}]\ntype=transport\nprotocol=udp\nbind=0.0.0.0:5066\n"
            f"[t{text}]\ntype=identify\nendpoint=t\nmatch=198.18.7.1,{text}\n"
            f"[r{text}]\ntype=registration\nserver_uri=sip:{text}\nclient_uri=sip:x@y\n"
            f"[s{text}]\ntype=registration\nserver_uri=sip:sip.north.example\nclient_uri=sip:x@y\n"
        )
    }
    for answers in (FIXED, FOLLOWING):
        proposal = propose(with_files(files), answers, existing())
        policy = loaded(proposal)  # loads
        assert policy.countries == ("JP",)
        assert set(rules(proposal)) <= {"allow", "asterisk", "service", "exception"}
        assert all(char.isprintable() or char == "\n" for char in proposal.text)
