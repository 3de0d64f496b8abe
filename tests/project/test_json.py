"""What docs/json.md says is what ``--json`` prints, key by key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from geofence.allowed.active_exceptions import ActiveExceptions, Inactive, Obstacle
from geofence.allowed.catalog import Carries
from geofence.allowed.prefix_parts import Part
from geofence.asterisk.people import Call, Contact
from geofence.asterisk.reader import read_configuration
from geofence.asterisk.reading import HostKind, Reading, ReadingWarning, Use, WarningKind
from geofence.cli.views.atlas import atlas_json, located_json
from geofence.cli.views.catalog import catalog_json
from geofence.cli.views.denied import denied_json
from geofence.cli.views.discover import reading_json
from geofence.cli.views.doctor import doctor_json
from geofence.cli.views.exceptions import exceptions_json
from geofence.cli.views.export import export_json
from geofence.cli.views.history import history_json
from geofence.cli.views.mirror import key_json, mirror_json
from geofence.cli.views.notify import told_json
from geofence.cli.views.plan import plan_json
from geofence.cli.views.run import run_json
from geofence.cli.views.setup import setup_json
from geofence.cli.views.snapshot import snapshot_json
from geofence.cli.views.status import status_json
from geofence.cli.views.target import target_json
from geofence.cli.views.target_why import target_why_json
from geofence.cli.views.why import why_json
from geofence.cli.views.why_host import host_json
from geofence.cli.views.why_prefix import prefix_json
from geofence.denied.sources import DeniedSource, Group
from geofence.doctor.findings import (
    Finding,
    FindingKind,
    Severity,
    Subject,
    Unchecked,
    WhyUnchecked,
)
from geofence.errors import ExitCode
from geofence.explain import Answer, Explanation
from geofence.flows.connections import Began, Connections
from geofence.flows.flow import Flow, FlowState
from geofence.flows.impact import Impact, Touched, by_source
from geofence.flows.shared_source import Crowd
from geofence.geoip.atlas import make_atlas
from geofence.guards.objection import Guard, Objection
from geofence.host.sockets import ListeningSocket
from geofence.lists.formats import format_names
from geofence.merge import merge
from geofence.mirror.index import Entry, Index
from geofence.mirror.signature import SigningKey
from geofence.model.address import Address
from geofence.model.bans import Ban
from geofence.model.catalog import Media
from geofence.model.changes import SpaceChange
from geofence.model.chosen import ChosenBackend, ChosenBy
from geofence.model.counts import Counted, CountKey, Counts, Period, Tally
from geofence.model.evidence import Evidence
from geofence.model.generation import ListNote
from geofence.model.lists import DroppedAddress, ListKind, Provenance
from geofence.model.notes import problem
from geofence.model.plan import Count, Observed
from geofence.model.policy import CountrySwitch, NamedException, Ports, Protocol
from geofence.model.prefixes import Family, Prefix
from geofence.model.reasons import Hint, HintKind, Reason, ReasonKind
from geofence.model.ruleset import Action, Role, Rule, SetKey, SourceIn
from geofence.model.shield import (
    LeftOut,
    OnInterface,
    ShieldDrops,
    ShieldReason,
    ShieldRecord,
    ShieldState,
    Why,
)
from geofence.model.target import Target, TargetKind
from geofence.operations.atlas import AtlasReport, Located
from geofence.operations.catalog import CatalogEntry, CatalogReport, Kind
from geofence.operations.containing_lists import ContainingList
from geofence.operations.covering import CoverKind
from geofence.operations.denied import DeniedReport, DeniedService, GroupedBy, Selection
from geofence.operations.doctor import DoctorReport
from geofence.operations.exceptions import ExceptionEntry, ExceptionsReport
from geofence.operations.export import Export, ExportedFile, FileState
from geofence.operations.history import HistoryEntry, SetDifference
from geofence.operations.kernel_knowledge import Membership, TurnedAway
from geofence.operations.mirror import Published
from geofence.operations.notify import Channel, Sent, notify_facts
from geofence.operations.people import CutCall, CutContact, People
from geofence.operations.plan import PlanReport
from geofence.operations.report import AllowedTo, ListOutcome, ListReport, RunReport
from geofence.operations.shield_status import ShieldStatus
from geofence.operations.site import Site
from geofence.operations.snapshot import CountryShare, Health, Snapshot
from geofence.operations.status import ServiceStatus, StatusReport
from geofence.operations.status_facts import Traffic
from geofence.operations.targets.status import TargetStatus
from geofence.operations.targets.why import TargetAnswer, TargetWhyReport
from geofence.operations.webhook import webhook_facts
from geofence.operations.why import BanOn, DropKind, DropMethod, HostReport, WhyReport
from geofence.operations.why_prefix import PrefixPart, PrefixReport, Told
from geofence.other_rules import Direction, OtherRules, Redirected, Untracked
from geofence.plan import make_plan
from geofence.plan.by_country import CountryChange
from geofence.plan.drift import Difference, DriftKind
from geofence.sentences.steps import StepKind
from geofence.setup.answers import Answers, Question, Topic
from geofence.setup.machine import LikelyCountry, Machine, Peer, Tunnel
from geofence.setup.proposal import Proposal, TableChange
from geofence.setup.report import SetupReport
from geofence.setup.rules_file import RulesTable
from geofence.state.atlas import StoredAtlas
from geofence.state.generations import Damaged
from geofence.state.outcomes import Ended, Ending, Probation, RunOutcome
from geofence.targets.registry import load
from geofence.verdict import Step
from tests.support.values import JAPAN, country, policy

CORPUS = Path(__file__).parents[1] / "asterisk" / "corpus"
DOCUMENT = Path(__file__).parents[2] / "docs" / "json.md"
NOW = datetime(2026, 2, 1, tzinfo=UTC)
RULESET = merge(policy(), JAPAN)
PLAN = make_plan(RULESET, Observed(debris=("allow4+",)), ("a rule",))
SPACE = JAPAN[country("JP")]
LISTS = (
    ListReport(
        country("JP"),
        ListOutcome.RENEWED,
        SPACE,
        (
            Provenance(
                "https://lists.example/",
                "e",
                "0" * 64,
                NOW,
                NOW,
                dropped=(DroppedAddress("192.0.2.1", NOW),),
            ),
        ),
        change=SpaceChange(SPACE, SPACE),
    ),
)
CHANGE = HistoryEntry(
    1,
    NOW,
    "refresh",
    "ipset",
    services_changed=True,
    sets=(SetDifference("allow4", Family.IPV4, 1, 0),),
    lists=(ListNote("x", NOW, "0"),),
)
SIP_PORT = Ports(Protocol.UDP, 5060, 5060)
TOUCHED = Touched(Flow(Family.IPV4, "udp", 1, 2, 3, 5060, True, FlowState.ESTABLISHED), "sip")
IMPACT = Impact((TOUCHED,), (TOUCHED,), frozenset({(Family.IPV4, 1)}))
SOURCES = by_source((TOUCHED,))
UNTRACKED = Untracked("sip", SIP_PORT, Direction.IN, (Family.IPV4,), False, "iptables raw")
REDIRECTED = Redirected("sip", SIP_PORT, SIP_PORT, None, (Family.IPV4,), False, "iptables nat")
REFUSALS = (Objection(Guard.SSH, "the session", "It saw.", "It allows.", "ssh"),)
IPSET = ChosenBackend("ipset", ChosenBy.RULES)
NOTES = (problem("a note"),)
REASON = Reason(ReasonKind.BLOCKED_BY_RULES)
BY_NAME = {"allow4", "allow6", "sip", "rtp", "ipv4", "ipv6"}
"""Keys that are names of sets, services and families."""


SHIELD = ShieldStatus(
    enabled=True,
    record=ShieldRecord(
        ShieldState.ARMED,
        NOW,
        "boot",
        reasons=(ShieldReason(Why.ZONES, "a zone"),),
        left_out=(LeftOut("rtp", Why.OBSERVED),),
        interfaces=(OnInterface(2, "eth0", "tcx", 1),),
        generation=1,
        dropped=(ShieldDrops("sip", Family.IPV4, 1, 1),),
    ),
)

STATUS = StatusReport(
    backend=IPSET,
    unfenced=(Family.IPV6,),
    drift=(Difference(DriftKind.RULE_MISSING, "a rule"),),
    generation=1,
    applied_at=NOW,
    reason="refresh",
    services=(ServiceStatus("sip", ("5060/udp",), Count(1, 2)),),
    traffic=Traffic(SOURCES, SOURCES, Crowd(Family.IPV4, 10 << 24 | 1, 16, 20)),
    other_rules=OtherRules((UNTRACKED,), (REDIRECTED,)),
    sets={"allow4": 1},
    shield=SHIELD,
    lists=LISTS,
    allowed=(AllowedTo("sip", ("JP", "AS4713"), ("JP",), (4713,)),),
    exceptions=ActiveExceptions(inactive=(Inactive("office", Obstacle.NOT_APPLIED),)),
    probation=Probation("x", 1, NOW, 1.0, "boot"),
    last=RunOutcome(
        "restore",
        Ending.DONE,
        NOW,
        unresolved=(Ended("refresh", Ending.FAILED, NOW),),
    ),
)


def _snapshot() -> Snapshot:
    key = CountKey(Counted.SOURCES, "sip", Family.IPV4)
    hours = (Period(NOW, {key: Tally(1, 1, 1)}),)
    counts = Counts(NOW, NOW, hours, hours, {key: Tally(1, 1, 1)})
    shares = (CountryShare("DE", 1, 1, allowed=False),)
    return Snapshot(
        NOW, NOW, Health.WELL, STATUS, countries=shares, counts=counts, lately=counts.totals
    )


def documents() -> Iterator[object]:
    """One of each, with nothing left out."""
    meaning = (CountryChange("JP", SPACE, SPACE),)
    cut = Contact("2001", "2001", Address(Family.IPV4, 1))
    people = People(
        1,
        1,
        (CutContact(cut, ("sip",)),),
        (CutCall(Call("PJSIP/2001-00000000", "2001", 7), cut.address),),
    )
    yield plan_json(PlanReport(PLAN, IPSET, LISTS, IMPACT, NOTES, meaning, REFUSALS, people=people))
    yield run_json(RunReport(PLAN, IPSET, 1, LISTS, NOTES, IMPACT))
    yield from map(reading_json, readings())
    yield status_json(STATUS)
    yield snapshot_json(_snapshot())
    hint = Hint(HintKind.ALLOW_EXCEPTION, "office")
    step = Step(Rule(SourceIn(Role.BAN, ""), Action.BANNED, "banned"), True, True)
    explanation = Explanation(SIP_PORT, "sip", Action.DROP, REASON, (hint,), steps=(step,))
    now = (Answer("sip", Action.DROP, REASON, steps=(step,)),)
    ending = DropMethod(DropKind.CUT, "apply")
    live = (Connections("sip", Began.PEER, passes=True, begins=False, number=1),)
    answer = WhyReport(
        ("JP",),
        ("JP",),
        (explanation,),
        now,
        "apply",
        live,
        ending,
        lists=(ContainingList("country", "JP", used=True, checked_at=NOW),),
        bans=(BanOn(Ban(Prefix(Family.IPV4, 1, 32), NOW, NOW)),),
        turned_away=(TurnedAway("sip", 1, 1, NOW, NOW),),
        kernel=(Membership(SetKey(Role.BAN, "", Family.IPV4), "ipset", True, True, None),),
    )
    yield why_json(Address(Family.IPV4, 1), answer)
    yield from _of_clusters()
    yield host_json(
        HostReport("sip.example", (("office", True),), ((Address(Family.IPV4, 1), answer),), NOTES)
    )
    told = Told(("JP",), (), (explanation,), now)
    part = PrefixPart(Part(0, 4, 4, 1), told)
    yield prefix_json(PrefixReport(Prefix(Family.IPV4, 0, 30), (part,), "apply", NOTES))
    row = DeniedSource(Family.IPV4, 1, "sip", 1, 1, NOW, NOW, "JP", "drop", "office")
    turned_away = DeniedService("sip", False, 1, 1, 1, Count(1, 2))
    yield denied_json(DeniedReport((turned_away,), 1, 1, (row,)), Selection())
    groups = (Group("JP", 1, 1),)
    for by in GroupedBy:
        report = DeniedReport((turned_away,), 1, 1, (), groups)
        yield denied_json(report, Selection(by=by))
    yield {"forgotten": 1}
    damaged = Damaged(Path("x.generation"), "is damaged")
    yield history_json((CHANGE, damaged))
    parts = LISTS[0].provenance
    stored = StoredAtlas(make_atlas({"JP": SPACE}, NOW), {"JP": parts}, ("JP", "DE"), 1)
    yield atlas_json(AtlasReport(stored, None, NOTES))
    yield located_json((Located(Address(Family.IPV4, 1), ("JP", "DE")),))
    office = NamedException("office", until=NOW)
    entry = ExceptionEntry(office, None, SPACE, False, Inactive("office", Obstacle.NOT_APPLIED))
    yield exceptions_json(ExceptionsReport((entry,), (CountrySwitch("US", allowed=True),), NOTES))
    yield from _small_documents()
    yield catalog_json(CatalogReport((CatalogEntry("twilio", Kind.TRUNK, "", enabled=False),), 1))
    found = Finding(FindingKind.LIST_MISSING, "country JP")
    unchecked = Unchecked(Subject.SOCKETS, WhyUnchecked.NOT_ROOT)
    yield doctor_json(DoctorReport((found,), (unchecked,)))
    last = RunOutcome("refresh", Ending.DONE, NOW)
    facts = notify_facts(Site(), "watch", last, event="healed", message="so", code=ExitCode.DONE)
    yield webhook_facts(facts)
    yield told_json((Sent(Channel.MAIL, "root", NOTES),))
    yield set_up_json()


def _of_clusters() -> Iterator[object]:
    """What verbs print with ``--target``, beside what they print without."""
    chosen = ChosenBackend("networkpolicy", ChosenBy.TARGET, target="k8s")
    difference = Difference(DriftKind.SET_MISSING, "allow4")
    service = ServiceStatus("sip", ("5060/udp",), Count(0, 0))
    ended = RunOutcome("apply", Ending.DONE, NOW)
    yield target_json(
        TargetStatus(
            "k8s", chosen, ("NetworkPolicy/pbx/geofence-k8s",), (difference,), 1, NOW, "apply",
            (service,), {"allow4": 1}, False, LISTS, NOTES, (), ended, NOTES,
        )
    )  # fmt: skip
    found = Explanation(
        Ports(Protocol.UDP, 1, 1), "sip", Action.PASS, Reason(ReasonKind.ALLOWED_BY_RULES)
    )
    now = TargetAnswer(passes=True, applied=True)
    yield target_why_json(
        Address(Family.IPV4, 1),
        TargetWhyReport("k8s", chosen, (), (), (), (found,), (now,), (), NOTES),
    )


def _small_documents() -> Iterator[object]:
    yield {"removed": ["ipset"]}
    yield {"covered": True, "by": "own", "name": ""}
    yield key_json(Path("/k"), SigningKey(b"", "RW"))
    lists = {country("JP"): Entry(NOW, ())}
    target = Target("pbx", TargetKind.NETWORKPOLICY)
    written = ExportedFile(Path("/f/1.json"), FileState.NEW, 1)
    yield export_json(Export(target, load(target.kind), ()), [written], Path("/f"))
    yield mirror_json(Published("/m", "RW", Index(1, NOW, NOW, lists), (country("JP"),)))


def set_up_json() -> object:
    """A set-up that changes something and asks something."""
    likely = (LikelyCountry("JP", (Evidence.ZONE,)),)
    here = Address(Family.IPV4, 1)
    socket = ListeningSocket(Protocol.UDP, IPv4Address(1), 5060, frozenset({4}), 0, 0, 0)
    machine = Machine(
        sockets=(socket,),
        tunnels=(Tunnel("wg0", "wireguard", is_way_out=False),),
        peers=(Peer(here, ("5060/udp",), "JP"),),
        likely=likely,
    )
    proposal = Proposal(
        (RulesTable("allow", {"countries": ("JP",)}),), {"allow": TableChange.ADDED}, notes=NOTES
    )
    questions = (Question(Topic.COUNTRIES, ("JP",), likely=likely),)
    return setup_json(SetupReport(machine, questions, Answers(), proposal))


def readings() -> Iterator[Reading]:
    """Those of the corpus; the data of warnings are documented beside their kinds."""
    for directory in CORPUS.glob("[01]*"):
        reading = read_configuration(directory)
        yield replace(
            reading, warnings=(), unseen=(ReadingWarning(WarningKind.CHAN_SIP_ONLY, "x"),)
        )


def keys(value: object) -> Iterator[str]:
    """All keys of a document, however deep."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from keys(each)


def test_every_key_is_documented_and_every_documented_key_is_there() -> None:
    words = set(re.findall(r"`([a-z0-9_]+)`", DOCUMENT.read_text(encoding="utf-8")))
    printed = {key for document in documents() for key in keys(document)} - BY_NAME
    assert printed <= words
    commands = {"plan", "refresh", "apply", "restore", "rollback", "allow", "revoke", "remove"}
    commands |= {
        "setup",
        "mirror",
        "notify",
        "test",
        "command",
        "webhook_file",
        "repair",
        "status",
        "doctor",
        "why",
        "history",
        "atlas",
        "denied",
        "exceptions",
        "export",
        "catalog",
        "discover",
        "report",
    }
    states = {
        *ListOutcome,
        *Ending,
        *Action,
        *Began,
        *Direction,
        *DriftKind,
        *ChosenBy,
        *DropKind,
        *Obstacle,
        *CoverKind,
        *Kind,
        *Carries,
        *Media,
        *StepKind,
        *Severity,
        *Subject,
        *WhyUnchecked,
        *Protocol,
        *Use,
        *HostKind,
        *Health,
        *ShieldState,
        *Counted,
        *FileState,
        *TargetKind,
        *format_names(ListKind.COUNTRY),
        "null",
        "unknown",
        "recovered",
        "watch",
        "notice",
    }
    assert words - commands - states - BY_NAME == printed - commands - states
