"""Countries allowed and revoked in the command line's file, which has one entry for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from geofence.by_hand.request import Request, end_text, is_longer
from geofence.errors import UsageError
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import CountrySwitch, Policy
from geofence.policy.owned import OWNED_FILE, Owned
from geofence.translation import tr


class Reach(NamedTuple):
    """Whether a country may reach a service, and until when."""

    lasting: bool
    until: datetime | None = None
    """The end of what is allowed until a time; None for nothing."""

    def reaches(self, until: datetime | None) -> bool:
        """Whether it is allowed at least until a time; None is no end."""
        return self.lasting or (self.until is not None and not is_longer(until, self.until))


def reaches(others: Policy, switch: CountrySwitch | None, code: str) -> Mapping[str, Reach]:
    """Return which services a country may reach, given the entry of the command line's file."""
    policy = replace(others, country_switches=(switch,) if switch else ())
    return {
        service.name: Reach(
            code in policy.service_countries(service),
            next((c.until for c in policy.timed_countries() if c.concerns(service.name)), None),
        )
        for service in policy.services
    }


def with_country(owned: Owned, others: Policy, code: str, wish: Request) -> tuple[Owned, Note]:
    """Return the file with a country allowed, and what to say of it.

    Raises:
        UsageError: one entry cannot say all of it.
    """
    before = owned.countries.get(code)
    held = reaches(others, before, code)
    meant = [name for name in held if not wish.services or name in wish.services]
    missing = [name for name in meant if not held[name].reaches(wish.until)]
    if not missing:
        ends = [held[name].until for name in meant if not held[name].lasting]
        until = end_text(min(filter(None, ends), default=None))
        return owned, Note(NoteKind.COUNTRY_ALREADY_ALLOWED, code, {"until": until})
    made = _entry(before, held, code, wish)
    _require_no_more(reaches(others, made, code), held, made, meant)
    if made.until:
        _require_return(others, before, made)
    changed = owned.with_country(made)
    if made.until is None and all(each.lasting for each in reaches(others, None, code).values()):
        changed = owned.without(codes=(code,))
    facts: dict[str, object] = {"services": list(made.services), "until": end_text(made.until)}
    return changed, Note(NoteKind.COUNTRY_ALLOWED, code, facts)


def _entry(
    before: CountrySwitch | None, held: Mapping[str, Reach], code: str, wish: Request
) -> CountrySwitch:
    """Return the entry that allows what is asked for and is not allowed yet."""
    allowed = before if before and before.allowed else None
    lasting = allowed if allowed and allowed.until is None else None
    was_revoked = before is not None and (not before.allowed or before.revoked_after)
    names = [name for name in held if not wish.services or name in wish.services]
    if wish.until:
        names = [name for name in names if not held[name].lasting]
    elif lasting:
        names = [name for name in held if name in names or lasting.concerns(name)]
    everywhere = len(names) == len(held) or (lasting and not lasting.services)
    note = wish.note or (allowed.note if allowed else "")
    return CountrySwitch(
        code,
        True,
        () if everywhere else tuple(names),
        note,
        wish.until,
        revoked_after=wish.until is not None and was_revoked,
    )


def _require_no_more(
    now: Mapping[str, Reach],
    held: Mapping[str, Reach],
    made: CountrySwitch,
    meant: list[str],
) -> None:
    """Raise an error if services change that were not asked for."""
    if any(now[name] != held[name] for name in held if name not in meant):
        raise UsageError(_two_entries(made))


def _require_return(others: Policy, before: CountrySwitch | None, made: CountrySwitch) -> None:
    """Raise an error if more or less is allowed after the end than before."""
    was, then = (reaches(others, _left(switch), made.code) for switch in (before, made))
    if any(then[name].lasting != was[name].lasting for name in then):
        raise UsageError(_two_entries(made))


def _left(switch: CountrySwitch | None) -> CountrySwitch | None:
    """Return what is left of an entry once it has ended."""
    return switch.at(switch.until) if switch and switch.until else switch


def _two_entries(made: CountrySwitch) -> str:
    return tr(
        "The country {code} has an entry in {file} for other services, and a country can have only "
        "one. Run 'geofence revoke --country {code}' first, or leave out --service.",
        code=made.code,
        file=OWNED_FILE,
    )


def without_country(owned: Owned, others: Policy, code: str) -> tuple[Owned, Note]:
    """Return the file with a country revoked, and what to say of it."""
    held = reaches(others, owned.countries.get(code), code)
    if not any(each.lasting or each.until for each in held.values()):
        return owned, Note(NoteKind.COUNTRY_NOT_ALLOWED, code)
    changed = owned.without(codes=(code,))
    if any(each.lasting for each in reaches(others, None, code).values()):
        changed = owned.with_country(CountrySwitch(code, allowed=False))
    return changed, Note(NoteKind.COUNTRY_REVOKED, code)
