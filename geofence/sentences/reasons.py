"""Sentences about reasons of a verdict, and about hints."""

from __future__ import annotations

from datetime import datetime

from geofence.geoip.countries import country_name
from geofence.model.prefixes import Family
from geofence.model.reasons import Hint, HintKind, Reason, ReasonKind
from geofence.translation import english, join, tr
from geofence.wording import moment


def reason_text(reason: Reason) -> str:
    """Return a reason as a clause: ``in the list of JP, which is allowed (10-mine.toml:2)``."""
    where = tr(" ({origin})", origin=reason.origin) if reason.origin else ""
    return {
        ReasonKind.NOT_FENCED: lambda: tr("no fenced service has this port"),
        ReasonKind.EXCEPTION: lambda: tr(
            "exception {name}{origin} allows it", name=reason.subject, origin=where
        ),
        ReasonKind.COUNTRY: lambda: tr(
            "in the list of {countries}, which is allowed{origin}",
            countries=", ".join(_allowed(reason)),
            origin=where,
        ),
        ReasonKind.BLOCKED_BY_LIST: lambda: tr(
            "in the blocklist {name}{origin}", name=reason.subject, origin=where
        ),
        ReasonKind.NO_COUNTRY: lambda: _no_country(reason, where),
        ReasonKind.BANNED: lambda: _banned(reason),
        ReasonKind.TIMED_EXCEPTION: lambda: tr(
            "exception {name}{origin} allows it until {time}",
            name=reason.subject,
            origin=where,
            time=_moment(reason, "until"),
        ),
        ReasonKind.TIMED_COUNTRY: lambda: tr(
            "in the list of {country}, which is allowed until {time}{origin}",
            country=reason.subject,
            time=_moment(reason, "until"),
            origin=where,
        ),
        ReasonKind.ALLOWED_BY_RULES: lambda: tr("the fence allows it"),
        ReasonKind.BLOCKED_BY_RULES: lambda: tr("the fence blocks it"),
        ReasonKind.NO_FENCE: lambda: tr(
            "there is no fence for {family}", family=Family(reason.subject).label
        ),
        ReasonKind.NO_SERVICE_IN_KERNEL: lambda: tr("the kernel fences no service with this port"),
        ReasonKind.IN_SET: lambda: tr("in the kernel's set {name}", name=reason.subject),
        ReasonKind.IN_NO_SET: lambda: tr(
            "in none of the kernel's sets {names}", names=", ".join(_texts(reason, "sets"))
        ),
    }[reason.kind]()


def hint_text(hint: Hint) -> str:
    """Return a hint as a clause."""
    return {
        HintKind.ALLOW_EXCEPTION: lambda: tr(
            "'geofence allow {name}' allows it", name=hint.subject
        ),
        HintKind.ALLOW_GROUP: lambda: tr(
            "'geofence allow {name}' allows it, with all of group {name}", name=hint.subject
        ),
        HintKind.LOCAL_PREFIX: lambda: tr(
            '[local] prefixes with "{prefix}" allows it on that interface', prefix=hint.subject
        ),
        HintKind.UNBAN: lambda: tr("'geofence unban {prefix}' ends the ban", prefix=hint.subject),
        HintKind.ALLOW_ADDRESS: lambda: tr(
            "'geofence allow {prefix} --for 8h' allows it for 8 hours", prefix=hint.subject
        ),
        HintKind.ALLOW_COUNTRY: lambda: tr(
            "'geofence allow --country {code}' allows all of {country}",
            code=hint.subject,
            country=country_name(hint.subject),
        ),
        HintKind.REVOKE: lambda: tr(
            "'geofence revoke {name}' ends the exception", name=hint.subject
        ),
        HintKind.REVOKE_COUNTRY: lambda: tr(
            "'geofence revoke --country {code}' blocks all of {country}",
            code=hint.subject,
            country=country_name(hint.subject),
        ),
        HintKind.BAN: lambda: tr(
            "'geofence ban {prefix} --for 1h' blocks it for an hour", prefix=hint.subject
        ),
    }[hint.kind]()


def reason_json(reason: Reason) -> dict[str, object]:
    """Return a reason for scripts."""
    return {
        "kind": reason.kind.value,
        "subject": reason.subject,
        "origin": reason.origin,
        "data": dict(reason.data),
        "text": english(reason_text(reason)),
    }


def hint_json(hint: Hint | None) -> dict[str, object] | None:
    """Return a hint for scripts; None for none."""
    if hint is None:
        return None
    return {
        "kind": hint.kind.value,
        "subject": hint.subject,
        "text": english(hint_text(hint)),
    }


def _banned(reason: Reason) -> str:
    if not reason.subject:
        return tr("banned; 'geofence bans' lists all bans")
    if reason.data["until"] is None:
        text = tr("{prefix} is banned until you unban it", prefix=reason.subject)
    else:
        time = _moment(reason, "until")
        text = tr("{prefix} is banned until {time}", prefix=reason.subject, time=time)
    given = str(reason.data["reason"])
    return tr("{text}: {reason}", text=text, reason=given) if given else text


def _moment(reason: Reason, key: str) -> str:
    return moment(datetime.fromisoformat(str(reason.data[key])))


def _no_country(reason: Reason, where: str) -> str:
    countries, missing = (
        ", ".join(_allowed(reason)),
        ", ".join(_texts(reason, "missing")),
    )
    if not countries:
        text = tr("not in an allowed country: none is allowed")
    elif missing:
        text = tr(
            "not in an allowed country ({countries}; list missing: {missing})",
            countries=countries,
            missing=missing,
        )
    else:
        text = tr("not in an allowed country ({countries})", countries=countries)
    if reason.data["interfaces"]:
        only = tr(
            "a local network{origin}, allowed only from {interfaces}",
            origin=where,
            interfaces=", ".join(_texts(reason, "interfaces")),
        )
        return join("; ", (text, only))
    if reason.data["local"]:
        nowhere = tr(
            "a local network{origin}, but no interface is connected or routed to it", origin=where
        )
        return join("; ", (text, nowhere))
    return text


def _allowed(reason: Reason) -> list[str]:
    """Return the countries and AS numbers of a reason."""
    return [*_texts(reason, "countries"), *(f"AS{each}" for each in _texts(reason, "asns"))]


def _texts(reason: Reason, key: str) -> list[str]:
    found = reason.data.get(key)
    return [str(each) for each in found] if isinstance(found, list | tuple) else []
