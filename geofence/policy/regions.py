"""Regions as rules define them: names for several countries, written ``@nordics``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

from geofence.policy.countries import country_code
from geofence.policy.mistakes import Mistake
from geofence.policy.table_reader import Section
from geofence.spelling import nearest, quoted
from geofence.translation import tr

MARK = "@"
"""Begins the name of a region where countries are named."""

Regions = Mapping[str, tuple[str, ...]]
"""The countries of each region, by its name without ``@``."""


def read_regions(sections: Mapping[str, Section]) -> Regions:
    """Return the countries of each region; regions may contain others."""
    read = country_or_region(sections)
    written = {name: each.values("countries", read) or () for name, each in sections.items()}
    for name, section in sections.items():
        if not section.gives("countries"):
            section.complain(
                Mistake(
                    tr("has no countries"),
                    tr('country codes or other regions such as ["DK", "SE", "@baltics"]'),
                )
            )
        if name in _within(name, written):
            wrong = tr("the region {name} contains itself", name=quoted(f"{MARK}{name}"))
            expected = tr("regions that do not contain each other")
            section.complain(Mistake(wrong, expected), "countries")
    return {name: expanded(each, written) for name, each in written.items()}


def _within(name: str, written: Regions) -> set[str]:
    """Return the names of the regions that a region contains, directly or through others."""
    found: set[str] = set()
    pending = [name]
    while pending:
        inner = set(regions_in(written.get(pending.pop(), ()))) - found
        found |= inner
        pending += inner
    return found


def expanded(names: tuple[str, ...], written: Regions) -> tuple[str, ...]:
    """Return the country codes that some names stand for, each once.

    Args:
        names: country codes, and regions with ``@``.
        written: what each region contains; a region that contains itself does no harm.
    """
    regions = regions_in(names)
    inner = dict.fromkeys(chain(regions, *(sorted(_within(each, written)) for each in regions)))
    everything = chain(names, *(written.get(each, ()) for each in inner))
    return tuple(dict.fromkeys(each for each in everything if not each.startswith(MARK)))


def regions_in(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the regions among names of countries and regions, without ``@``."""
    return tuple(each.removeprefix(MARK) for each in names if each.startswith(MARK))


def country_or_region(known: Mapping[str, object]) -> Callable[[str], str]:
    """Return a reader of country codes, and of regions with ``@`` before their names.

    Raises:
        Mistake: (the reader) there is no such country or region.
    """

    def read(text: str) -> str:
        if not text.startswith(MARK):
            return _country(text, known)
        if text.removeprefix(MARK) in known:
            return text
        guesses = nearest(text.removeprefix(MARK), known)
        raise Mistake(
            tr("unknown region {name}", name=quoted(text)),
            _expected(known),
            *(quoted(f"{MARK}{guess}") for guess in guesses),
        )

    return read


def _expected(known: Mapping[str, object]) -> str:
    if not known:
        return tr("a region that the rules define ([region.NAME])")
    return tr(
        "a region that the rules define ([region.NAME]), such as {example}",
        example=quoted(f"{MARK}{next(iter(known))}"),
    )


def _country(text: str, known: Mapping[str, object]) -> str:
    """Read a country code; the name of a region without its ``@`` is a mistake of its own."""
    try:
        return country_code(text)
    except Mistake:
        if text.lower() not in known:
            raise
    region = quoted(f"{MARK}{text.lower()}")
    wrong = tr("{value} is a region, not a country", value=quoted(text))
    raise Mistake(wrong, tr("{region}, which means all its countries", region=region)) from None
