"""Ports, spans of time, times of day and percentages as rules write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from geofence.model.policy import Ports, Protocol
from geofence.policy.mistakes import Mistake
from geofence.spelling import plain, quoted
from geofence.translation import tr

HIGHEST_PORT = 65535


def _expected_ports() -> str:
    return tr(
        'ports from 1 to {highest} with their protocol, such as "5060/udp" or "5060-5061/tcp"',
        highest=HIGHEST_PORT,
    )


def ports(text: str) -> Ports:
    """Read a port or range of ports with its protocol.

    Raises:
        Mistake: it is not one, or its ends are out of range or in the wrong order.
    """
    match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?/(udp|tcp)", text)
    if match is None:
        wrong = tr("{value} is not a port with a protocol", value=quoted(text))
        raise Mistake(wrong, _expected_ports(), *_meant_ports(text))
    first, last, protocol = int(match[1]), int(match[2] or match[1]), Protocol(match[3])
    if not (1 <= first <= HIGHEST_PORT and 1 <= last <= HIGHEST_PORT):
        raise Mistake(tr("{value} is out of range", value=quoted(text)), _expected_ports())
    if first > last:
        meant = quoted(str(Ports(protocol, last, first)))
        wrong = tr("{value} has its ends in the wrong order", value=quoted(text))
        raise Mistake(wrong, _expected_ports(), meant)
    return Ports(protocol, first, last)


def _meant_ports(text: str) -> tuple[str, ...]:
    """Guess at another separator, another order, another case or a missing protocol."""
    text = plain(text).lower()
    numbers = re.findall(r"[0-9]{1,5}", text)
    protocols = re.findall(r"udp|tcp", text)
    rest = re.sub(r"udp|tcp|[0-9]{1,5}|[-:/.\s]", "", text)
    if rest or len(numbers) not in (1, 2) or len(protocols) > 1:
        return ()
    if not 1 <= int(numbers[0]) <= int(numbers[-1]) <= HIGHEST_PORT:
        return ()
    span = "-".join(numbers)
    return tuple(f'"{span}/{protocol}"' for protocol in protocols or ("udp", "tcp"))


_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DAY = timedelta(days=1)
_LONGEST_GRACE = timedelta(days=30)


def _span(text: str, such_as: tuple[str, str] = ("36h", "7d"), bare: str = "hd") -> timedelta:
    """Read a duration; ``bare`` are the units that a number alone may mean."""
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if match is None:
        expected = tr(
            'a number and a unit (s, m, h, d or w) such as "{one}" or "{other}"',
            one=such_as[0],
            other=such_as[1],
        )
        wrong = tr("{value} is not a duration", value=quoted(text))
        raise Mistake(wrong, expected, *_meant_span(text, bare))
    return int(match[1]) * _UNITS[match[2]]


def _meant_span(text: str, bare: str) -> tuple[str, ...]:
    """Guess at ``7 days``, or a number alone."""
    match = re.fullmatch(
        r"([0-9]{1,6})(|[smhdw]|sec.*|min.*|h.*|d.*|w.*)", plain(text).lower().replace(" ", "")
    )
    if match is None:
        return ()
    return tuple(f'"{match[1]}{unit}"' for unit in (match[2][:1] or bare))


def age(text: str) -> timedelta:
    """Read how old a list, or the world index, may get: an hour to a year.

    Raises:
        Mistake: it is not a duration, or is out of range.
    """
    span = _span(text)
    if not timedelta(hours=1) <= span <= 366 * _DAY:
        raise Mistake(tr("{value} is out of range", value=quoted(text)), tr('from "1h" to "366d"'))
    return span


def probation(text: str) -> timedelta:
    """Read how long to wait for a confirmation: five seconds to a day.

    Raises:
        Mistake: it is not a duration, or is out of range.
    """
    span = _span(text, ("60s", "5m"), "s")
    if not timedelta(seconds=5) <= span <= _DAY:
        raise Mistake(tr("{value} is out of range", value=quoted(text)), tr('from "5s" to "1d"'))
    return span


def grace(text: str) -> timedelta:
    """Read how long an address stays allowed that DNS no longer gives: from nothing to 30 days.

    Raises:
        Mistake: it is not a duration, or is out of range.
    """
    span = _span(text, ("1h", "2d"), "mh")
    if span > _LONGEST_GRACE:
        raise Mistake(tr("{value} is out of range", value=quoted(text)), tr('from "0s" to "30d"'))
    return span


def interval(text: str) -> timedelta:
    """Read how long the source of a blocklist is not asked again: a minute to 30 days.

    Raises:
        Mistake: it is not a duration, or is out of range.
    """
    span = _span(text, ("30m", "4h"), "mh")
    if not timedelta(minutes=1) <= span <= 30 * _DAY:
        raise Mistake(tr("{value} is out of range", value=quoted(text)), tr('from "1m" to "30d"'))
    return span


def keep(text: str) -> timedelta:
    """Read how long an address of a blocklist stays: an hour to a year.

    Raises:
        Mistake: it is not a duration, or is out of range.
    """
    return age(text)


def jitter(text: str) -> timedelta:
    """Read by how much a daily run may be late: from nothing to less than a day.

    Raises:
        Mistake: it is not a duration, or is out of range.
    """
    span = _span(text, ("30m", "2h"), "mh")
    if span >= _DAY:
        wrong = tr("{value} is a day or more", value=quoted(text))
        raise Mistake(wrong, tr('from "0s" to "23h"'))
    return span


def time_of_day(text: str) -> time:
    """Read a time of day, hours and minutes.

    Raises:
        Mistake: it is not one.
    """
    match = re.fullmatch(r"([0-9]{2}):([0-9]{2})", text)
    if match and int(match[1]) < 24 and int(match[2]) < 60:  # noqa: PLR2004 - hours and minutes
        return time(int(match[1]), int(match[2]))
    parts = re.fullmatch(r"\s*([01]?[0-9]|2[0-3])[:.h]?([0-5][0-9])(:[0-9]{2})?\s*", text)
    guesses = (f'"{parts[1]:0>2}:{parts[2]}"',) if parts else ()
    raise Mistake(
        tr("{value} is not a time of day", value=quoted(text)),
        tr('hours and minutes from "00:00" to "23:59", such as "03:30"'),
        *guesses,
    )


_SHORTEST_STAY = timedelta(seconds=1)
_LONGEST_STAY = 3660 * _DAY


def stay(text: str) -> timedelta:
    """Read for how long something is allowed: a second to ten years.

    Raises:
        Mistake: it is not a duration, or is out of range.
    """
    span = _span(text, ("8h", "3d"))
    if not _SHORTEST_STAY <= span <= _LONGEST_STAY:
        wrong = tr("{value} is out of range", value=quoted(text))
        raise Mistake(wrong, tr('from "1s" to "3660d"'))
    return span


def end(text: str, now: datetime) -> datetime:
    """Read until when something is allowed; return it in UTC.

    Args:
        text: a date and a time, or a time of day, which is the next; in local time without an
            offset.
        now: the time, with the local zone.

    Raises:
        Mistake: it is neither, is over, or is too far away.
    """
    moment = _moment(plain(text).strip(), now)
    if moment is None:
        wrong = tr("{value} is not a point in time", value=quoted(text))
        raise Mistake(
            wrong, tr('a time such as "18:00", "2026-11-27 18:00" or "2026-11-27T18:00Z"')
        )
    if moment <= now:
        raise Mistake(tr("{value} is over", value=quoted(text)), tr("a later time"))
    if moment - now > _LONGEST_STAY:
        raise Mistake(tr("{value} is too far away", value=quoted(text)), tr("at most ten years"))
    return utc(moment)


def _moment(text: str, now: datetime) -> datetime | None:
    """Return a point in time; None if the text is not one."""
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}", text):
        try:
            at = time_of_day(f"{text:0>5}")
        except Mistake:
            return None
        today = _local(datetime.combine(now.date(), at))
        return today if today > now else _local(datetime.combine(now.date() + _DAY, at))
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:", text):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else _local(found)
    except (ValueError, OverflowError):
        return None


def _local(moment: datetime) -> datetime:
    """Return a time without a zone as one of the local zone."""
    return moment.astimezone()


def utc(moment: datetime) -> datetime:
    """Return a point in time as UTC.

    Raises:
        Mistake: it has no offset from UTC, or the calendar does not have it in UTC.
    """
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except OverflowError:
        pass
    wrong = tr("{value} is not a point in time", value=moment)
    raise Mistake(wrong, tr("a date and a time in UTC such as 2026-11-26T12:00:00Z"))
