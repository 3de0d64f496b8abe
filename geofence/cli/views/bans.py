"""Bans, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from geofence.model.prefixes import prefix_text
from geofence.operations.bans import BanChange, CurrentBan
from geofence.screen import Screen
from geofence.translation import tr, trn
from geofence.wording import moment, span


def show_change(screen: Screen, done: BanChange) -> None:
    """Say what was banned or unbanned."""
    for ban in done.banned:
        if ban.until is None:
            screen.say(tr("{prefix} is banned until you unban it.", prefix=prefix_text(ban.prefix)))
        else:
            text = tr(
                "{prefix} is banned until {time}.",
                prefix=prefix_text(ban.prefix),
                time=moment(ban.until),
            )
            screen.say(text)
    for prefix in done.unbanned:
        screen.say(tr("{prefix} is no longer banned.", prefix=prefix_text(prefix)))
    if not done.in_kernel:
        screen.note(tr("No fence is up: this counts once one is. Run 'geofence status'."), "yellow")


def change_json(done: BanChange) -> dict[str, object]:
    """Return the same for scripts."""
    return {
        "banned": [
            {
                "prefix": str(ban.prefix),
                "until": None if ban.until is None else ban.until.isoformat(),
                "reason": ban.reason,
            }
            for ban in done.banned
        ],
        "unbanned": list(map(str, done.unbanned)),
        "in_kernel": done.in_kernel,
    }


def show_bans(screen: Screen, found: Iterable[CurrentBan]) -> None:
    """Print a row for each ban."""
    known = tuple(found)
    if not known:
        screen.say(tr("Nothing is banned."))
        return
    screen.table(*ban_rows(known, datetime.now(UTC)))
    missing = sum(each.packets is None for each in known)
    if missing:
        screen.note(
            trn(
                missing,
                "{number} ban is not in the kernel; 'geofence repair' puts it there.",
                "{number} bans are not in the kernel; 'geofence repair' puts them there.",
            ),
            "yellow",
        )


def ban_rows(
    found: Iterable[CurrentBan], now: datetime
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings and rows of the table of bans."""
    headings = (tr("banned"), tr("for"), tr("since"), tr("packets"), tr("reason"))
    return headings, [_row(each, now) for each in found]


def bans_json(found: Iterable[CurrentBan]) -> list[dict[str, object]]:
    """Return the same for scripts; times are UTC."""
    return [
        {
            "prefix": str(each.ban.prefix),
            "since": each.ban.at.isoformat(),
            "until": None if each.ban.until is None else each.ban.until.isoformat(),
            "reason": each.ban.reason,
            "packets": each.packets,
            "bytes": None if each.packets is None else each.octets,
            "spared": [] if each.spared is None else _texts(each),
        }
        for each in found
    ]


def _texts(each: CurrentBan) -> list[str]:
    spared = each.spared
    if spared is None:
        return []
    return [str(prefix) for family in (spared.ipv4, spared.ipv6) for prefix in family.prefixes()]


def _row(each: CurrentBan, now: datetime) -> tuple[str, ...]:
    ban = each.ban
    lasting = tr("unlimited") if ban.until is None else span(ban.until - now)
    packets = "-" if each.packets is None else f"{each.packets:,}"
    reason = ban.reason
    if each.spared:
        text = tr("without {prefixes}", prefixes=", ".join(_texts(each)))
        reason = f"{reason} ({text})" if reason else text
    return (prefix_text(ban.prefix), lasting, moment(ban.at), packets, reason)
