"""The catalogue as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geofence.allowed.catalog import Carries
from geofence.fetch.urls import public
from geofence.model.catalog import Media
from geofence.model.prefixes import address_texts
from geofence.operations.catalog import CatalogEntry, CatalogReport, Kind
from geofence.screen import Screen, Styled
from geofence.translation import tr

_FEW = 6
"""Entries of which the hosts, addresses and pages are shown, too."""
_MOST_ADDRESSES = 20
"""Prefixes that a line lists."""


def show_catalog(screen: Screen, report: CatalogReport) -> None:
    """Print a row for each entry; of a few, how to allow them and what they have, too."""
    if not report.entries:
        screen.say(tr("No entry of the catalogue fits. 'geofence catalog' lists all."))
        return
    headings = (
        tr("entry"),
        tr("group"),
        tr("what it is"),
        tr("sends"),
        tr("state"),
        # Translators: whether the vendor itself publishes the addresses.
        tr("published"),
    )
    screen.table(headings, map(_row, report.entries))
    if len(report.entries) > _FEW:
        screen.say(tr("'geofence catalog NAME' shows the addresses, the page and how to allow it."))
        return
    for each in report.entries:
        for line in _details(each):
            screen.say(line)
    for line in _how(report.entries):
        screen.say(line, "cyan")


def _row(entry: CatalogEntry) -> tuple[Styled, ...]:
    return (
        entry.name,
        entry.group or "",
        entry.description,
        _sends(entry.carries),
        _state(entry),
        "" if entry.published is None else tr("yes") if entry.published else tr("no"),
    )


def _sends(carried: Carries | None) -> str:
    match carried:
        case Carries.SIGNALLING:
            return tr("signalling")
        case Carries.MEDIA:
            return tr("media")
        case Carries.BOTH:
            return tr("signalling, media")
    return ""


def _state(entry: CatalogEntry) -> Styled:
    if not entry.enabled:
        return tr("off")
    if entry.kind is Kind.BLOCKLIST:
        return tr("on"), "green"
    if entry.active:
        return tr("allowed"), "green"
    return tr("not applied"), "yellow"


def _details(entry: CatalogEntry) -> Iterator[str]:
    """Yield what an entry has, and where that is from."""
    texts = address_texts(entry.addresses)
    shown = texts[:_MOST_ADDRESSES]
    if len(texts) > len(shown):
        shown.append(tr("{number} more", number=len(texts) - len(shown)))
    sources = map(public, entry.sources)
    has = (*entry.hosts, *entry.srv, *entry.sip, *entry.trunk_hosts, *sources, *shown)
    yield tr("{name}: {has}", name=entry.name, has=", ".join(has))
    if entry.page:
        yield tr(
            "{name}: see {page} (read {day})", name=entry.name, page=entry.page, day=entry.read
        )
    if entry.media is Media.UNPUBLISHED:
        yield tr(
            "{name}: the addresses of its media are not published. They pass as answers to what "
            "the PBX sends.",
            name=entry.name,
        )


def _how(entries: Iterable[CatalogEntry]) -> Iterator[str]:
    """Yield how to allow the entries that are off."""
    off = [each for each in entries if not each.enabled]
    commands = {each.command: each.together for each in off if each.command}
    for line, names in commands.items():
        yield tr("'{command}' allows {names}.", command=line, names=", ".join(names))
    for each in off:
        if each.kind is Kind.BLOCKLIST:
            yield tr(
                "To use {name}, write [blocklist.{name}] and enabled = true into a file of "
                "/etc/geofence/rules.d, then run 'geofence refresh'.",
                name=each.name,
            )


def catalog_json(report: CatalogReport) -> dict[str, object]:
    """Return the same for scripts."""
    return {"entries": [_json(each) for each in report.entries], "number": report.number}


def _json(entry: CatalogEntry) -> dict[str, object]:
    return {
        "entry": entry.name,
        "kind": entry.kind.value,
        "group": entry.group,
        "description": entry.description,
        "sends": entry.carries.value if entry.carries else None,
        "media": entry.media.value if entry.media else None,
        "services": list(entry.services),
        "enabled": entry.enabled,
        "active": entry.active,
        "hosts": list(entry.hosts),
        "srv": list(entry.srv),
        "sip": list(entry.sip),
        "trunk_hosts": list(entry.trunk_hosts),
        "urls": list(map(public, entry.sources)),
        "addresses": address_texts(entry.addresses),
        "published": entry.published,
        "read": entry.read.isoformat() if entry.read else None,
        "page": entry.page or None,
        "command": entry.command or None,
        "together": list(entry.together),
    }
