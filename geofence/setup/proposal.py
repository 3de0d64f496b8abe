"""The rules that ``setup`` proposes, by what it found and what was answered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from geofence.model.evidence import Evidence
from geofence.model.notes import Note
from geofence.model.policy import besides_loopback
from geofence.setup.answers import Answers, follows, previous, untrusted
from geofence.setup.asterisk_tables import asterisk_tables, fixed_tables
from geofence.setup.machine import Existing, Machine
from geofence.setup.providers import offered
from geofence.setup.remarks import remarks
from geofence.setup.rules_file import RulesTable, Value, file_text


class Step(StrEnum):
    """Something to do beside writing and applying rules. The values are stable."""

    FAIL2BAN = "fail2ban"
    UNITS = "units"


class TableChange(StrEnum):
    """What would become of a table. The values are stable."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What ``setup`` would do."""

    tables: tuple[RulesTable, ...] = ()
    """All that its file would have."""
    changes: Mapping[str, TableChange] | None = None
    """Of its tables, by heading, against the file that there is."""
    steps: tuple[Step, ...] = ()
    notes: tuple[Note, ...] = ()
    countries: tuple[str, ...] = ()
    """Those that may reach the services afterwards, as rules name them."""

    @property
    def text(self) -> str:
        """The text of the file."""
        return file_text(self.tables)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes and not self.steps


def propose(found: Machine, answers: Answers, existing: Existing) -> Proposal:
    """Return what to do.

    Args:
        found: what there is on this host.
        answers: to all open questions.
        existing: the rules that there are.
    """
    tables = tuple(
        kept for each in _tables(found, answers, existing) if (kept := _unsaid(each, existing))
    )
    changes = _changes(existing.setup, {each.heading: each for each in tables})
    steps = ((Step.FAIL2BAN, answers.fail2ban), (Step.UNITS, answers.units))
    return Proposal(
        tables,
        changes,
        tuple(step for step, wanted in steps if wanted),
        tuple(remarks(found, answers, existing)),
        _countries(answers, existing),
    )


def _tables(found: Machine, answers: Answers, existing: Existing) -> Iterator[RulesTable]:
    countries = answers.countries or _before(existing, "allow.countries")
    if countries:
        yield RulesTable("allow", {"countries": countries}, _why_countries(found, countries))
    if follows(answers, existing):
        yield from asterisk_tables(found, existing)
    else:
        yield from fixed_tables(found, existing)
    yield from _interfaces(found, answers, existing)
    yield from _providers(found, answers, existing)
    yield from _notify(answers, existing)


def _unsaid(table: RulesTable, existing: Existing) -> RulesTable | None:
    """Return a table without keys that the operator's files have; None if nothing is left."""
    keys = {
        key: value
        for key, value in table.keys.items()
        if not existing.says(f"{table.heading}.{key}")
    }
    return RulesTable(table.heading, keys, table.comments) if keys else None


def _before(existing: Existing, key: str) -> tuple[str, ...]:
    value = previous(existing, key)
    return value if isinstance(value, tuple) else ()


def _countries(answers: Answers, existing: Existing) -> tuple[str, ...]:
    if existing.says("allow.countries"):
        return existing.policy.countries
    return answers.countries or _before(existing, "allow.countries")


_BECAUSE = {
    Evidence.CONTACTS: "the registered phones",
    Evidence.HOST: "this host's address",
    Evidence.ZONE: "the time zone",
    Evidence.LOCALE: "the locale",
    Evidence.PEERS: "those who talk to the PBX now",
    Evidence.OPERATOR: "the address of the SSH session",
}
"""English: rules files are."""


def _why_countries(found: Machine, countries: Iterable[str]) -> tuple[str, ...]:
    known = {each.code: each.evidence for each in found.likely}
    lines = ["Countries whose phones may call, as answered to 'geofence setup'."]
    for code in countries:
        if code in known:
            because = ", ".join(_BECAUSE[each] for each in known[code])
            lines.append(
                f"{code}: so say {because}."
                if len(known[code]) > 1
                else f"{code}: so says {because}."
            )
    return tuple(lines)


def _interfaces(found: Machine, answers: Answers, existing: Existing) -> Iterator[RulesTable]:
    before = besides_loopback(_before(existing, "local.interfaces"))
    there = tuple(each for each in before if each not in existing.policy.interfaces)
    new = untrusted(found, existing) if answers.tunnels else ()
    if not there and not new:
        return
    kinds = {each.name: each.kind for each in found.tunnels}
    comments = [
        f"{name} is a VPN ({kinds.get(name, 'trusted before')})." for name in (*there, *new)
    ]
    names = (*existing.policy.interfaces, *there, *new)
    yield RulesTable("local", {"interfaces": names}, tuple(comments))


def _providers(found: Machine, answers: Answers, existing: Existing) -> Iterator[RulesTable]:
    known = {each.name for each in existing.policy.exceptions}
    new = {each.name: each.description for each in offered(found, existing)}
    for heading, keys in existing.setup.items():
        name = heading.removeprefix("exception.")
        if name != heading and name in known and set(keys) == {"enabled"}:
            yield RulesTable(heading, {"enabled": keys["enabled"] is True}, ())
    for name, description in new.items() if answers.providers is not None else ():
        comment = f"In the catalogue: {description}. A trunk or a registered contact is of it."
        yield RulesTable(f"exception.{name}", {"enabled": bool(answers.providers)}, (comment,))


def _notify(answers: Answers, existing: Existing) -> Iterator[RulesTable]:
    keys: dict[str, Value] = {}
    mail = answers.mail if answers.mail is not None else _before(existing, "notify.mail")
    webhook = answers.webhook_file or previous(existing, "notify.webhook_file")
    if mail:
        keys["mail"] = mail
    if isinstance(webhook, str) and webhook:
        keys["webhook_file"] = webhook
    if keys:
        yield RulesTable("notify", keys, ("Who is told when something fails, as answered.",))


def _changes(
    before: Mapping[str, Mapping[str, object]], after: Mapping[str, RulesTable]
) -> dict[str, TableChange]:
    found: dict[str, TableChange] = {}
    for heading, table in after.items():
        if heading not in before:
            found[heading] = TableChange.ADDED
        elif dict(before[heading]) != dict(table.keys):
            found[heading] = TableChange.CHANGED
    gone = dict.fromkeys(each for each in before if each not in after)
    return {**found, **dict.fromkeys(gone, TableChange.REMOVED)}
