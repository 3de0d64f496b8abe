"""Checks on evidence that no test can plant in a kernel, and properties of all of them."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.asterisk.codecs import read_codecs
from geofence.asterisk.console import parse_contacts, parse_translations
from geofence.asterisk.reading import HostKind, Listener, PortRange, Reading, Trunk, Use
from geofence.doctor.checks import findings
from geofence.doctor.evidence import (
    Clock,
    Evidence,
    FenceFacts,
    Hosts,
    KernelHelper,
    RulesOfOthers,
    Startup,
)
from geofence.doctor.findings import Finding, Severity, Subject, Unchecked, WhyUnchecked
from geofence.doctor.findings import FindingKind as Kind
from geofence.doctor.nat import address_space
from geofence.doctor.port_sets import common, covered, left
from geofence.host.sip_helper import loaded_modules
from geofence.host.stun import parse_answer
from geofence.merge import merge
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.operations.doctor import DoctorReport
from geofence.other_rules.filtering import Published
from geofence.routing.local_networks import Place, Reached
from geofence.sentences.doctor import finding_texts, page, unchecked_text
from tests.project.documents import TOP
from tests.project.test_readme import anchors
from tests.support.values import JAPAN, policy

UDP, TCP = Protocol.UDP, Protocol.TCP
SERVICES = {"sip": (Ports(UDP, 5060, 5060),), "rtp": (Ports(UDP, 10000, 20000),)}
NOW = datetime(2026, 2, 1, tzinfo=UTC)
NOTHING = Evidence(SERVICES)


def test_no_evidence_is_no_finding() -> None:
    assert findings(NOTHING) == ()
    assert findings(Evidence({})) == ()


def test_a_list_that_was_never_downloaded() -> None:
    (finding,) = findings(replace(NOTHING, fence=FenceFacts("nftables", missing=("country JP",))))
    assert (finding.kind, finding.subject) == (Kind.LIST_MISSING, "country JP")


def test_a_daemon_that_cannot_repair() -> None:
    (finding,) = findings(replace(NOTHING, fence=FenceFacts("nftables", failing="no memory")))
    assert (finding.kind, finding.subject) == (Kind.RUN_FAILED, "daemon")
    assert finding_texts(finding).evidence == "no memory"


@pytest.mark.parametrize(
    ("clock", "kinds"),
    [
        (Clock(NOW, NOW - timedelta(days=1), synchronised=True), []),
        (Clock(NOW, NOW + timedelta(minutes=30), synchronised=True), []),
        (Clock(NOW, NOW + timedelta(hours=2), synchronised=True), [Kind.CLOCK_WRONG]),
        (Clock(NOW, None, synchronised=False), [Kind.CLOCK_UNSYNCHRONISED]),
        (Clock(NOW, None, synchronised=None), []),
    ],
)
def test_the_clock(clock: Clock, kinds: list[Kind]) -> None:
    assert [each.kind for each in findings(replace(NOTHING, clock=clock))] == kinds


def test_programs_that_flush_matter_to_ipset_alone() -> None:
    startup = Startup(restores=True, rival="csf is enabled here")
    for backend, kinds in (("ipset", [Kind.FLUSHED_BY_OTHERS]), ("nftables", [])):
        found = findings(replace(NOTHING, fence=FenceFacts(backend), startup=startup))
        assert [each.kind for each in found] == kinds


@pytest.mark.parametrize(
    ("helper", "how", "severity"),
    [
        (KernelHelper(("nf_conntrack_sip",), automatic=True), "automatic", Severity.WRONG),
        (KernelHelper(("nf_conntrack_sip",)), "loaded", Severity.NOTICE),
    ],
)
def test_the_sip_helper(helper: KernelHelper, how: str, severity: Severity) -> None:
    (finding,) = findings(replace(NOTHING, helper=helper))
    assert (finding.kind, finding.data["how"], finding.severity) == (
        Kind.SIP_HELPER,
        how,
        severity,
    )
    assert all(finding_texts(finding))
    assert findings(replace(NOTHING, helper=KernelHelper())) == ()


@pytest.mark.parametrize(
    ("target", "severity"),
    [(Ports(UDP, 5060, 5060), Severity.WRONG), (Ports(UDP, 53, 53), Severity.NOTICE)],
)
def test_a_node_that_trusts_other_nodes(target: Ports, severity: Severity) -> None:
    lan, pods = (Prefix(Family.IPV4, n, 24) for n in (192 << 24 | 168 << 16, 10 << 24 | 42 << 16))
    reached = (Place("eth0", lan, Reached.CONNECTED), Place("cni0", pods, Reached.CONNECTED))
    delivered = Published(target, target, "192.168.0.11", Family.IPV4, "iptables nat KUBE-SEP")
    evidence = replace(
        NOTHING,
        ruleset=merge(policy(local=AddressSpace.of((lan,)), countries=()), {}, reached),
        hosts=Hosts(AddressSpace(), reached),
        rules=RulesOfOthers(published=(delivered,)),
    )
    (finding,) = findings(evidence)
    assert (finding.kind, finding.severity) == (Kind.NODES_TRUSTED, severity)
    assert all(finding_texts(finding))
    lone = replace(evidence, hosts=Hosts(AddressSpace(), reached[:1]))
    assert findings(lone) == ()


def test_modules_are_told_by_their_whole_names() -> None:
    text = "nf_nat_sip 20480 0 - Live 0x0\nnf_conntrack_sip 40960 1 nf_nat_sip, Live 0x0\n"
    assert loaded_modules(text) == ("nf_conntrack_sip", "nf_nat_sip")
    assert loaded_modules("nf_conntrack 1 2 nf_conntrack_sip, Live 0x0\n") == ()


def test_a_listener_that_only_some_versions_have_is_a_notice() -> None:
    listener = Listener(TCP, 5061, frozenset({4}), "0.0.0.0", Use.SIPS, "pjsip.conf [tls]")  # noqa: S104
    for certain in (True, False):
        reading = Reading(listeners=(replace(listener, certain=certain),))
        (finding,) = findings(replace(NOTHING, reading=reading))
        assert (finding.kind, finding.severity is Severity.WRONG) == (
            Kind.BOUND_NOT_FENCED,
            certain,
        )


def test_endpoints_own_ranges_and_fax_ports_are_media_too() -> None:
    own = PortRange(30000, 30010, "pjsip.conf [fax]")
    fax = PortRange(4000, 4999, "udptl.conf [general]", needed=False)
    (finding,) = findings(replace(NOTHING, reading=Reading(rtp_more=(own,), udptl=fax)))
    assert (finding.kind, finding.subject) == (Kind.RTP_NOT_FENCED, "30000-30010/udp")
    needed = Reading(udptl=replace(fax, needed=True))
    (finding,) = findings(replace(NOTHING, reading=needed))
    assert finding.subject == "4000-4999/udp"


@pytest.mark.parametrize(
    ("lines", "codecs"),
    [
        ("disallow=all\nallow=ulaw,alaw", ("ulaw", "alaw")),
        ("allow=!all,ulaw\nallow=g722", ("ulaw", "g722")),
        ("allow=ulaw,alaw,g722\ndisallow=alaw", ("ulaw", "g722")),
        ("allow=g729:40,h264,VP8", ("g729",)),
        ("disallow=all\nallow=all", ()),
        ("disallow=all", ()),
        ("", ()),
    ],
)
def test_codecs_of_an_endpoint(tmp_path: Path, lines: str, codecs: tuple[str, ...]) -> None:
    text = f"[101]\ntype=endpoint\n{lines}\n"
    (tmp_path / "pjsip.conf").write_text(text, encoding="utf-8")
    assert read_codecs(tmp_path) == ({"101": codecs} if codecs else {})
    wizard = "\n".join(f"endpoint/{line}" for line in lines.splitlines())
    (tmp_path / "pjsip.conf").write_text("", encoding="utf-8")
    (tmp_path / "pjsip_wizard.conf").write_text(f"[101]\ntype=wizard\n{wizard}\n", encoding="utf-8")
    assert read_codecs(tmp_path) == ({"101": codecs} if codecs else {})


RULESET = merge(policy(), JAPAN)
FENCED = {service.name: service for service in RULESET.services}
LAN = (Place("eth1", Prefix(Family.IPV4, 192 << 24 | 168 << 16, 24), Reached.CONNECTED),)
PORTS = st.builds(
    lambda protocol, one, other: Ports(protocol, min(one, other), max(one, other)),
    st.sampled_from(Protocol),
    st.integers(0, 65535),
    st.integers(0, 65535),
)


@given(PORTS, st.lists(PORTS, max_size=5))
def test_what_is_left_of_ports_is_what_others_do_not_have(one: Ports, others: list[Ports]) -> None:
    rest = left(one, others)
    assert covered(one, others) is not bool(rest)
    ends = {one.first, one.last}
    ends |= {edge for each in others for edge in (each.first, each.last)}
    for port in (near for end in ends for near in (end - 1, end, end + 1) if near in one):
        held = any(each.protocol is one.protocol and port in each for each in others)
        assert any(port in each for each in rest) is not held
        if len(others) == 1:
            assert any(port in each for each in common(one, others)) is held


HOSTS = st.one_of(
    st.text(max_size=30),
    st.ip_addresses().map(str),
    st.ip_addresses().map(lambda address: f"{address}/{address.max_prefixlen - 4}"),
    st.sampled_from(["0.0.0.0/0", "::/0", "fe80::1%eth0", "10.0.0.0/255.0.0.0", "127.0.0.1", ""]),
)
LISTENERS = st.builds(
    Listener,
    st.sampled_from(Protocol),
    st.integers(1, 65535),
    st.just(frozenset({4, 6})),
    st.just("0.0.0.0"),  # noqa: S104
    st.sampled_from(Use),
    st.text(max_size=20),
)
TRUNKS = st.builds(
    Trunk,
    HOSTS,
    st.sampled_from(HostKind),
    st.just(("identify x",)),
    left_out=st.lists(HOSTS, max_size=2).map(tuple),
)
RANGES = st.builds(
    lambda one, other: PortRange(min(one, other), max(one, other), "rtp.conf"),
    st.integers(0, 65535),
    st.integers(0, 65535),
)
READINGS = st.builds(
    Reading,
    st.lists(LISTENERS, max_size=4).map(tuple),
    RANGES,
    trunks=st.lists(TRUNKS, max_size=4).map(tuple),
    local_nets=st.lists(HOSTS, max_size=3).map(tuple),
    external=st.lists(HOSTS, max_size=3).map(tuple),
    invalid=st.lists(st.text(max_size=20), max_size=2).map(tuple),
)


@given(READINGS, HOSTS.map(address_space))
def test_whatever_a_configuration_says_findings_are_sentences(
    reading: Reading, own: AddressSpace | None
) -> None:
    evidence = Evidence(
        {name: service.ports for name, service in FENCED.items()},
        ruleset=RULESET,
        reading=reading,
        hosts=Hosts(own or AddressSpace(), LAN),
    )
    for finding in findings(evidence):
        assert all(map(str.strip, finding_texts(finding)))


@given(st.binary(max_size=200), st.binary(min_size=12, max_size=12))
def test_no_answer_of_a_stun_server_is_a_traceback(answer: bytes, ident: bytes) -> None:
    head = b"\1\1\0\0\x21\x12\xa4\x42" + ident
    parse_answer(answer, ident)
    parse_answer(head + answer, ident)


@given(st.text())
def test_no_answer_of_a_console_is_a_traceback(text: str) -> None:
    list(parse_contacts(text))
    list(parse_contacts("/registrar/contact/1;@0a: {" + text + "}"))
    parse_translations(text)


@pytest.mark.parametrize("part", [";@a: {", "};@a: {", ": {", ";@", "} "])
def test_a_line_that_is_made_to_take_long_takes_no_time(part: str) -> None:
    """The user of Asterisk decides what its console says, and root reads it."""
    began = time.process_time()
    list(parse_contacts(f"/registrar/contact/{part * 60_000}x"))
    assert time.process_time() - began < 1


def test_names_of_others_cannot_act_on_the_terminal() -> None:
    from geofence.cli.views.doctor import _lines

    data = {"process": "evil\x1b[2J", "where": "0.0.0.0\n\r", "bound": True}
    for line in _lines(Finding(Kind.BOUND_NOT_FENCED, "5038/tcp\x1b]0;x\x07", data)):
        assert line.isprintable()


def test_every_kind_has_a_section_in_the_documentation() -> None:
    for kind in Kind:
        document, anchor = page(kind).split("#")
        assert anchor in anchors(TOP / document)


def test_every_kind_is_planted_or_made_up_by_some_test() -> None:
    texts = "".join(path.read_text("utf-8") for path in (TOP / "tests").rglob("test_*.py"))
    made = re.findall(r"\b(?:Finding)?Kind\.([A-Z0-9_]+)", texts)
    assert {kind.name for kind in Kind} <= set(made)


@pytest.mark.parametrize("subject", Subject)
@pytest.mark.parametrize("why", WhyUnchecked)
def test_what_is_not_checked_is_a_sentence(subject: Subject, why: WhyUnchecked) -> None:
    assert unchecked_text(Unchecked(subject, why)).startswith(("Not checked", "Only partly"))
    assert unchecked_text(Unchecked(subject, why, "Gone.")).startswith(("Not", "Only"))


def test_notices_are_not_wrong() -> None:
    report = DoctorReport((Finding(Kind.REDIRECTED), Finding(Kind.NO_FENCE)), ())
    assert [each.kind for each in report.wrong] == [Kind.NO_FENCE]
