"""Catalogues of translated messages: an update from the source, and their compiler.

::

    python -m tools.catalogue update     put the messages of the source into the .po files
    python -m tools.catalogue compile    make the .mo files, which the package ships

A .po file lists its messages by module, without line numbers and dates, so that it changes only
where a message does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from geofence.translation import DOMAIN, LOCALES

TOP = Path(__file__).parents[1]
KEYWORDS = {"tr": None, "trn": (2, 3)}
"""Functions that mark messages, and which arguments are the messages: by default, the first."""
_COMMENTS = ("Translators:",)
_FOREIGN = "tools/foreign_messages.py"
_WIDTH = 100


def catalogues() -> Iterator[Path]:
    """List the .po files."""
    yield from sorted(LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def extracted(top: Path = TOP) -> Catalog:
    """Return the messages in the source, untranslated.

    Args:
        top: the checkout.
    """
    found = Catalog(project=DOMAIN, charset="utf-8")
    package = extract_from_dir(
        top / "geofence", [("**.py", "python")], keywords=KEYWORDS, comment_tags=_COMMENTS
    )
    for name, _, message, comments, _ in sorted(package, key=lambda each: (each[0], each[1])):
        found.add(message, locations=[(f"geofence/{name}", 1)], auto_comments=comments)
    for _, message, comments, _ in extract_from_file(
        "python", top / _FOREIGN, keywords=KEYWORDS, comment_tags=_COMMENTS
    ):
        found.add(message, locations=[(_FOREIGN, 1)], auto_comments=comments)
    return found


def read(path: Path) -> Catalog:
    """Read a .po file.

    Args:
        path: ``…/LANGUAGE/LC_MESSAGES/geofence.po``.
    """
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], domain=DOMAIN)


def updated(path: Path) -> bytes:
    """Return the text of a .po file with the messages of the source and none that are obsolete.

    Args:
        path: of the file.
    """
    catalogue = read(path)
    # Not fuzzy: a translation of something else is worse than English.
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    written = BytesIO()
    write_po(written, catalogue, width=_WIDTH, omit_header=True, include_lineno=False)
    return _HEADER.format(language=path.parts[-3], plurals=catalogue.plural_forms).encode() + (
        written.getvalue()
    )


_HEADER = """\
# Messages of geofence; see CONTRIBUTING.md. Made by "python -m tools.catalogue update".
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

"""
"""Without dates and versions."""


def compiled(path: Path) -> bytes:
    """Return the .mo file for a .po file; the same bytes for the same messages.

    Args:
        path: of the .po file.
    """
    catalogue = read(path)
    shipped = _Undated(locale=catalogue.locale, charset="utf-8")
    for message in catalogue:
        if message.id:
            shipped.add(message.id, message.string)
    written = BytesIO()
    write_mo(written, shipped)
    return written.getvalue()


class _Undated(Catalog):
    """A catalogue whose header holds what gettext reads, and no dates and versions."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The header."""
        return [
            ("Content-Type", f"text/plain; charset={self.charset}"),
            ("Plural-Forms", self.plural_forms),
        ]

    @mime_headers.setter
    def mime_headers(self, headers: object) -> None:
        """Refuse another header."""
        raise TypeError(f"the header is made from the catalogue: {headers!r}")


def main(arguments: list[str]) -> int:
    """Update or compile all catalogues; return the exit code."""
    match arguments:
        case ["update"]:
            for path in catalogues():
                path.write_bytes(updated(path))
        case ["compile"]:
            for path in catalogues():
                path.with_suffix(".mo").write_bytes(compiled(path))
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
