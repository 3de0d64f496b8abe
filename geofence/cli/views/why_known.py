"""What is known of an address beside the verdicts: lists, bans, steps, and the kernel's sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from geofence.explain import Answer, Explanation
from geofence.geoip.countries import country_name
from geofence.model.address import Address
from geofence.model.prefixes import Family, prefix_text
from geofence.operations.containing_lists import ContainingList
from geofence.operations.kernel_knowledge import Membership
from geofence.operations.why import BanOn, WhyReport
from geofence.screen import Screen, Styled
from geofence.sentences.steps import step_text
from geofence.translation import join, tr, trn
from geofence.verdict import Step
from geofence.wording import age, moment, span

_SHOWN = 6
"""Lists that one line names."""


def known_lines(report: WhyReport) -> Iterator[str]:
    """Yield a line for the lists, for each ban, and for each service that turned it away."""
    now = datetime.now(UTC)
    if report.lists:
        named = [_list_text(each, now) for each in report.lists]
        text = ", ".join(named[:_SHOWN])
        if len(named) > _SHOWN:
            text = tr("{named} and {number} more", named=text, number=len(named) - _SHOWN)
        yield tr("Lists with it: {lists}.", lists=text)
    for each in report.bans:
        yield _ban_text(each, now)
    for noted in report.turned_away:
        yield trn(
            noted.packets,
            "{service} has turned it away: {number} packet, {time}.",
            "{service} has turned it away: {number} packets, first {first}, last {time}.",
            service=noted.service,
            first=moment(noted.first),
            time=age(noted.last, now),
        )


def _list_text(each: ContainingList, now: datetime) -> str:
    facts = [age(each.checked_at, now)] if each.checked_at else []
    if not each.used:
        facts.append(tr("not used"))
    named = f"{each.kind} {each.name}"
    return tr("{name} ({facts})", name=named, facts=", ".join(facts)) if facts else named


def _ban_text(each: BanOn, now: datetime) -> str:
    ban = each.ban
    facts = [tr("banned {time}", time=moment(ban.at))]
    if ban.until is None:
        facts.append(tr("until you unban it"))
    else:
        facts.append(tr("{span} left", span=span(max(ban.until - now, timedelta()))))
    if each.packets is None:
        facts.append(tr("not in the kernel"))
    else:
        facts.append(trn(each.packets, "{number} packet", "{number} packets"))
    if ban.reason:
        facts.append(ban.reason)
    return tr("Ban of {prefix}: {facts}.", prefix=prefix_text(ban.prefix), facts=join(", ", facts))


def show_steps(screen: Screen, source: Address, report: WhyReport, *, full: bool) -> None:
    """Print the steps of each packet; of one port always, of several if all is asked for."""
    verdicts: Sequence[Answer | Explanation] = report.now or report.explanations
    if not full and len(verdicts) > 1:
        return
    told: dict[tuple[Step, ...], list[str]] = {}
    for found, verdict in zip(report.explanations, verdicts, strict=True):
        if verdict.steps:
            told.setdefault(verdict.steps, []).append(str(found.ports))
    for steps, ports in told.items():
        screen.say("")
        headings = (tr("steps of a packet to {ports}", ports=", ".join(ports)), tr("answer"))
        screen.table(headings, [_step_row(step, source.family) for step in steps])


def _step_row(step: Step, family: Family) -> tuple[Styled, ...]:
    answer: Styled = tr("yes") if step.matched else tr("no")
    if step.decides:
        answer = (tr("yes, this decides"), "bold")
    return step_text(step, family), answer


def show_memberships(screen: Screen, report: WhyReport) -> None:
    """Print whether the kernel itself finds the address in each set that is asked."""
    if report.kernel:
        screen.say("")
        headings = (tr("the kernel's set"), tr("backend"), tr("has it"), tr("should have it"))
        screen.table(headings, map(_membership_row, report.kernel))


def _membership_row(each: Membership) -> tuple[Styled, ...]:
    expected = tr("unknown") if each.expected is None else _yes(each.expected)
    found: Styled = _yes(each.tested) if each.agrees else (_yes(each.tested), "bold red")
    return each.key.name, each.backend, found, expected


def _yes(so: bool) -> str:
    return tr("yes") if so else tr("no")


def known_json(report: WhyReport) -> dict[str, object]:
    """Return what is known of the address for scripts; times are UTC."""
    return {
        "country": _country_json(report),
        "lists": [
            {
                "kind": str(each.kind),
                "name": each.name,
                "used": each.used,
                "checked_at": each.checked_at and each.checked_at.isoformat(),
            }
            for each in report.lists
        ],
        "bans": [_ban_json(each) for each in report.bans],
        "turned_away": [
            {
                "service": each.service,
                "packets": each.packets,
                "bytes": each.octets,
                "first": each.first.isoformat(),
                "last": each.last.isoformat(),
            }
            for each in report.turned_away
        ],
        "kernel": [
            {
                "set": each.key.name,
                "backend": each.backend,
                "in_kernel": each.tested,
                "listed": each.listed,
                "expected": each.expected,
            }
            for each in report.kernel
        ],
    }


def _country_json(report: WhyReport) -> dict[str, object] | None:
    by = "lists" if report.countries else "atlas"
    code = report.countries[0] if report.countries else report.atlas_country
    return None if code is None else {"code": code, "name": country_name(code), "by": by}


def _ban_json(each: BanOn) -> dict[str, object]:
    ban = each.ban
    left = None if ban.until is None else (ban.until - datetime.now(UTC)).total_seconds()
    return {
        "prefix": str(ban.prefix),
        "since": ban.at.isoformat(),
        "until": ban.until and ban.until.isoformat(),
        "seconds_left": None if left is None else max(0, int(left)),
        "reason": ban.reason,
        "packets": each.packets,
        "bytes": None if each.packets is None else each.octets,
    }
