"""Sources of lists as rules write them: ``[source.country]``, ``[source.asn]``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from geofence.model.lists import ListKind
from geofence.model.policy import ListSource
from geofence.policy.mistakes import Mistake
from geofence.policy.table_reader import Section
from geofence.policy.urls import (
    FAMILY,
    OF_CHECKSUMS,
    Placeholders,
    is_directory,
    lacking,
    looks_like_database,
    template,
)
from geofence.spelling import nearest, one_of, quoted
from geofence.translation import tr

_IN_DIRECTORY = (
    "NAME.json",
    "NAME/aggregated.json",
    "NAME/NAME.json",
    "NAME.txt",
    "NAME-{family}.txt",
    "NAME/{family}-aggregated.txt",
)
"""Names of the files in a directory of lists, in the order to try: as ipverse and others have
them, with the placeholder of a country or AS number for NAME."""
_ENDINGS = {"json": ".json", "text": ".txt"}
"""How the names of files of a format end."""


def checksum(text: str) -> str:
    """Read the template of a checksum's URL.

    Raises:
        Mistake: it has unknown placeholders, or is no URL.
    """
    return template(OF_CHECKSUMS)(text)


def list_source(section: Section, kind: ListKind, placeholders: Placeholders) -> ListSource:
    """Return the source that a table describes.

    Args:
        section: the table.
        kind: of the lists.
        placeholders: of its URLs.
    """
    given = section.value("format", list_format(kind), None)
    read = template(placeholders)

    def url(text: str) -> str:
        found = read(text)
        whole = is_directory(found) or (kind is ListKind.COUNTRY and _may_be_database(found, given))
        if placeholders.needed not in found and not whole:
            raise lacking(text, placeholders)
        return found

    written = section.values("urls", url) or ()
    urls = tuple(each for found in written for each in _files(found, placeholders, given))
    _find_mixed_families(section, urls, given)
    return ListSource(urls, given, section.value("checksum", checksum, None))


def _files(url: str, placeholders: Placeholders, given: str | None) -> tuple[str, ...]:
    """Return the templates of the lists in a directory; the URL itself if it is none."""
    if placeholders.needed in url or not is_directory(url) or given not in (None, *_ENDINGS):
        return (url,)
    names = (name.replace("NAME", placeholders.needed) for name in _IN_DIRECTORY)
    ending = _ENDINGS[given] if given else ""
    return tuple(f"{url}{name}" for name in names if name.endswith(ending))


def _may_be_database(url: str, given: str | None) -> bool:
    """Whether a URL without a country's code may be that of a database of all countries."""
    if given is None:
        return looks_like_database(url)
    from geofence.lists.formats import is_database

    return is_database(given)


def _find_mixed_families(section: Section, urls: Iterable[str], given: str | None) -> None:
    """Complain about URLs by family whose format has both families."""
    by_family = next((each for each in urls if FAMILY in each), None)
    if given and by_family and not _is_by_family(given):
        section.complain(
            Mistake(
                tr(
                    "{url} has {{family}}, but a {format} list has both families",
                    url=quoted(by_family),
                    format=given,
                ),
                tr("URLs without {family}, or no format"),
            ),
            "format",
        )


def _is_by_family(name: str) -> bool:
    from geofence.lists.formats import format_named

    return format_named(name).by_family


def list_format(kind: ListKind) -> Callable[[str], str]:
    """Return a reader of the names of formats that lists of a kind can have.

    Raises:
        Mistake: (the reader) such lists have no format of that name.
    """

    def read(text: str) -> str:
        # Not at the top: rules without the key, as at boot, need no parser of lists.
        from geofence.lists.formats import format_names

        known = format_names(kind)
        if text in known:
            return text
        wrong = tr("unknown list format {format}", format=quoted(text))
        raise Mistake(wrong, one_of(known), *nearest(text, known))

    return read
