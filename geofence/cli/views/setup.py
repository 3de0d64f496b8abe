"""A proposal of ``setup``, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.cli.views.flows import show_impact
from geofence.cli.views.people import show_people
from geofence.cli.views.plan import plan_json
from geofence.cli.views.run import run_json
from geofence.flows.impact import TouchedSource, by_source
from geofence.geoip.countries import country_name
from geofence.model.notes import NoteKind
from geofence.model.policy import Policy
from geofence.model.prefixes import address_text, address_texts
from geofence.operations.plan import PlanReport
from geofence.screen import Screen
from geofence.sentences import note_json, sentence
from geofence.setup.answers import Question
from geofence.setup.machine import Machine
from geofence.setup.proposal import Proposal, TableChange
from geofence.setup.report import SetupReport
from geofence.setup.rules_file import SETUP_FILE, table_lines
from geofence.spelling import listed, printable
from geofence.translation import english, tr, trn

_SHOWN = 8
"""Names that a line lists."""
_COLOURS = {TableChange.ADDED: "green", TableChange.CHANGED: "yellow", TableChange.REMOVED: "red"}


def show_proposal(screen: Screen, proposal: Proposal) -> None:
    """Print what would be written, with where it comes from, and what there is to know."""
    by_heading = {table.heading: table for table in proposal.tables}
    if proposal.changes:
        screen.say(tr("Rules to write into {file}:", file=SETUP_FILE), "bold")
    for heading, difference in (proposal.changes or {}).items():
        if difference is TableChange.REMOVED:
            screen.say("  " + tr("[{table}] is removed", table=heading), "red")
            continue
        for line in table_lines(by_heading[heading]):
            screen.say(f"  {line}", "" if line.startswith("#") else _COLOURS[difference])
    for note in proposal.notes:
        screen.note(sentence(note), "yellow")


def show_meaning(screen: Screen, found: Machine, policy: Policy, report: PlanReport) -> None:
    """Print who gets in, and who is cut off."""
    screen.say("")
    screen.say(tr("Who gets in:"), "bold")
    for line in _allowed_lines(policy):
        screen.say(f"  {line}")
    screen.say("  " + tr("Everything else on this host, SSH included, is not fenced."))
    impact = report.impact
    cut = by_source(impact.denied_live) if impact else ()
    if not found.peers:
        screen.say(tr("Nobody talks to these ports now, or the kernel does not track it yet."))
    elif not cut:
        screen.say(
            trn(
                len(found.peers),
                "{number} source talks to these ports now. It stays connected.",
                "{number} sources talk to these ports now. None of them would be cut off.",
            )
        )
    else:
        named = listed([_with_country(each, found) for each in cut], _SHOWN)
        screen.say(tr("Talks now and would be CUT OFF: {sources}", sources=named), "bold red")
    show_people(screen, report.people)
    if impact and impact.unnamed:
        show_impact(screen, impact)
    for note in report.notes:
        if note.kind is not NoteKind.CHECK_REFUSES:
            screen.note(sentence(note), "yellow")
    for refusal in report.refusals:
        screen.say(tr("A check refuses this: {reason}", reason=refusal), "bold red")


def _with_country(source: TouchedSource, found: Machine) -> str:
    address = address_text(source.family, source.address)
    code = next((each.country for each in found.peers if str(each.address) == address), "")
    return f"{source}, {country_name(code)}" if code else str(source)


def _allowed_lines(policy: Policy) -> Iterator[str]:
    for service in policy.services:
        codes = service.countries if service.countries is not None else policy.countries
        names = [f"{country_name(code)} ({code})" for code in codes]
        yield tr(
            "{service} ({ports}): phones in {countries}",
            service=service.name,
            ports=listed([str(each) for each in service.ports], _SHOWN),
            countries=listed(names, _SHOWN) or tr("no country"),
        )
    for each in policy.enabled_exceptions():
        hosts = (*each.hosts, *each.sip, *each.srv, *address_texts(each.prefixes))
        yield tr(
            "{name} ({hosts}): {services}",
            name=each.name,
            hosts=printable(listed(list(hosts), _SHOWN)),
            services=", ".join(each.services) or tr("all services"),
        )
    trusted = [name for name in policy.interfaces if name != "lo"]
    if trusted:
        yield tr("All that comes by {interfaces}", interfaces=", ".join(trusted))


def setup_json(report: SetupReport) -> dict[str, object]:
    """Return the same for scripts, with what was done."""
    proposal, answers = report.proposal, report.answers
    return {
        "file": SETUP_FILE,
        "changes": [
            {"table": heading, "change": each.value}
            for heading, each in (proposal.changes or {}).items()
        ],
        "rules": proposal.text if proposal.tables else "",
        "steps": [each.value for each in proposal.steps],
        "countries": list(proposal.countries),
        "questions": [_question_json(each) for each in report.questions],
        "answers": {
            "follow": answers.follow,
            "tunnels": answers.tunnels,
            "providers": answers.providers,
            "mail": list(answers.mail or ()),
            "fail2ban": answers.fail2ban,
            "units": answers.units,
        },
        "found": _found_json(report.found),
        "plan": plan_json(report.plan) if report.plan else None,
        "notes": [english(sentence(note)) for note in proposal.notes],
        "note_facts": [note_json(note) for note in proposal.notes],
        "run": run_json(report.run) if report.run else None,
    }


def _question_json(question: Question) -> dict[str, object]:
    default = question.default
    return {
        "topic": question.topic.value,
        "default": default if isinstance(default, bool) else list(default),
        "about": list(question.about),
        "likely": [
            {"country": each.code, "evidence": [kind.value for kind in each.evidence]}
            for each in question.likely
        ],
    }


def _found_json(found: Machine) -> dict[str, object]:
    asterisk = found.asterisk
    return {
        "asterisk_directory": str(asterisk.directory) if asterisk.directory else None,
        "addresses": [str(each) for each in found.addresses],
        "country": found.country or None,
        "ssh": str(found.ssh) if found.ssh else None,
        "tunnels": [
            {"name": each.name, "kind": each.kind, "way_out": each.is_way_out}
            for each in found.tunnels
        ],
        "firewalls": list(found.firewalls),
        "registered": [str(each) for each in found.contacts],
        "peers": [
            {"address": str(each.address), "ports": list(each.ports), "country": each.country}
            for each in found.peers
        ],
        "listening": [
            {
                "port": f"{each.port}/{each.protocol}",
                "address": str(each.address),
                "programs": [holder.program for holder in each.holders],
            }
            for each in found.sockets
            if each.exposed
        ],
    }
