"""The keys of exceptions that say where their addresses come from: the catalogue, and feeds."""

from __future__ import annotations

import re
from datetime import date

from geofence.model.catalog import CatalogFacts, EntryKind, Media
from geofence.model.frozen import replace
from geofence.model.policy import NamedException
from geofence.policy.addresses import host_name
from geofence.policy.mistakes import Mistake
from geofence.policy.table_reader import Section, choice
from geofence.policy.urls import url
from geofence.spelling import quoted
from geofence.translation import tr

_LONGEST_PATH = 200
_STEP = r"(?:[^\s.\[\]\"]+|\*)"
_PATH = rf"(?:(?:\[\])+|{_STEP}(?:\[\])*)(?:\.{_STEP}(?:\[\])*)*"
"""Keys and ``*``, joined by dots; ``[]`` after each stands for the elements of an array."""
_ANY_BELOW = "*."
_FEWEST_LABELS = 2
"""Labels below which a pattern would stand for everybody's names."""


def with_catalog(exception: NamedException, section: Section) -> NamedException:
    """Return an exception with what its table says of who it is; complain about what is wrong."""
    facts = CatalogFacts(
        kind=section.value("kind", choice(EntryKind), None),
        page=section.value("page", _page, None) or "",
        read=section.value("read", _day, None),
        published=section.flag("published", default=False),
        media=section.value("media", choice(Media), None),
        trunk_hosts=section.values("trunk_hosts", host_pattern) or (),
    )
    return replace(exception, catalog=facts)


def with_feed(exception: NamedException, section: Section) -> NamedException:
    """Return an exception with its feed; complain about what is wrong."""
    feed = section.value("feed", url, None) or ""
    paths = section.values("paths", _path) or ()
    if section.gives("feed") and section.gives("hosts", "srv", "sip"):
        wrong = tr("has a feed, and names in DNS")
        section.complain(Mistake(wrong, tr("one exception for each, in one group")), "feed")
    if "paths" in section and not section.gives("feed"):
        expected = tr("feed, the URL of the JSON in which they are; or remove the key")
        section.complain(Mistake(tr("has paths, but no feed"), expected), "paths")
    return replace(exception, feed=feed, paths=paths)


def host_pattern(text: str) -> str:
    """Read a host name, or ``*.`` and a domain for all names below it.

    Raises:
        Mistake: it is neither, or stands for the names of everybody.
    """
    domain = text.removeprefix(_ANY_BELOW)
    try:
        name = host_name(domain)
    except Mistake as mistake:
        wrong = tr("{value} is not a host name, nor a pattern for some", value=quoted(text))
        raise Mistake(wrong, _expected_pattern()) from mistake
    if domain == text:
        return name
    if len(name.split(".")) < _FEWEST_LABELS:
        wrong = tr("{value} stands for too many names", value=quoted(text))
        raise Mistake(wrong, _expected_pattern())
    return f"{_ANY_BELOW}{name}"


def _expected_pattern() -> str:
    return tr('a host name, or a pattern such as "*.pstn.provider.example"')


def _page(text: str) -> str:
    """Read the URL of a page, which a person can open.

    Raises:
        Mistake: it is not one.
    """
    found = url(text)
    if found.startswith("/"):
        raise Mistake(tr("{value} is a path", value=quoted(text)), tr("the URL of a page"))
    return found


def _day(text: str) -> date:
    """Read a day.

    Raises:
        Mistake: it is not one.
    """
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    wrong = tr("{value} is not a day", value=quoted(text))
    raise Mistake(wrong, tr('a year, a month and a day such as "2026-11-26"'))


def _path(text: str) -> str:
    """Read where prefixes are in a JSON: ``media[].prefix``.

    Raises:
        Mistake: it is not such a path.
    """
    if len(text) <= _LONGEST_PATH and re.fullmatch(_PATH, text):
        return text
    wrong = tr("{value} is not a path in JSON", value=quoted(text))
    expected = tr(
        'keys joined by dots, with "[]" after that of an array, such as "media[].prefix"; "*" '
        "stands for any key"
    )
    meant = text.removeprefix("$.").replace("[*]", "[]")
    raise Mistake(wrong, expected, *((quoted(meant),) if re.fullmatch(_PATH, meant) else ()))
