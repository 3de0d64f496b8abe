"""The format ``text``: a prefix, address or range per line, comments after ``#`` or ``;``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from geofence.errors import ListError
from geofence.lists.entries import bulk_entries, bulk_lines, careful_entries
from geofence.lists.format import Format
from geofence.lists.parsed import ParsedList, Ranges, parsed_list
from geofence.lists.sniff import refuse_json, refuse_markup
from geofence.lists.tolerance import take_mapped, tolerant_list
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from geofence.translation import tr

_HEADER = re.compile(
    r"^[ \t]*[#;][ \t]*(?:"
    r"Country:[^\n]*\((?P<code>[A-Za-z]{2})\)"
    r"|(?:Address family|IP version):[ \t]*IPv(?P<family>[46])"
    r")[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
"""Header lines with the list's country or family: ``# Country: Japan (JP)``, ``# Address family:
IPv4`` (``# IP version: IPv4`` before 2026-01-03)."""

_ASN_HEADER = re.compile(r"[#;][ \t]*AS(?P<number>[0-9]{1,10})\b", re.IGNORECASE)
"""The first line of ipverse's text list of an AS number: ``# AS4713 (OCN)``."""

_BLANKS = " \t\r"
"""Characters that may surround an entry."""

_COMMENT = re.compile(r"[#;][^\n]*")


def parse_text(body: bytes, family: Family | None = None, code: str | None = None) -> ParsedList:
    """Return the prefixes of a text list.

    Args:
        body: the list as received.
        family: the family that every entry must have; None allows both.
        code: the upper-case code of the country that was asked for; None for other lists. If the
            list's header gives a country or a family, it must be the one asked for.

    Raises:
        ListError: the body is not a list, is that of another country or family, has an invalid
            entry (host bits too: it is unknown which prefix is meant), or has no entry.
    """
    text, head = _text(body)
    commented = "#" in text[head:] or ";" in text[head:]
    _check_header(text if commented else text[:head], family, code)
    found = None if commented else _plain(text[head:], family)
    if found is None:
        entries = _entries(text[head:], commented=commented)
        if not entries:
            raise ListError(tr("The list contains no prefix."))
        found = bulk_entries(entries, family) or careful_entries(_numbered(text), family)
    return parsed_list(*found)


def parse_asn_text(body: bytes, family: Family | None, number: str) -> ParsedList:
    """Return the prefixes of a text list of one autonomous system.

    Args:
        body: the list as received.
        family: the family that every entry must have; None allows both.
        number: the AS number that was asked for, in decimal. If the first line gives one, it must
            be the same.

    Raises:
        ListError: the body is not a list, is that of another system, has an invalid entry, or has
            none.
    """
    text, _ = _text(body)
    said = _ASN_HEADER.match(text)
    if said is not None and said["number"] != number:
        found, wanted = f"AS{said['number']}", f"AS{number}"
        raise ListError(
            tr("The list is that of {found}, not of {wanted}.", found=found, wanted=wanted)
        )
    return parse_text(body, family)


def parse_blocklist(body: bytes) -> ParsedList:
    """Return the prefixes of a blocklist, which may have a few invalid lines, or only comments.

    To refuse the whole list because of one line would unblock all other addresses in it. An IPv4
    address that is written as IPv6 is taken as IPv4.

    Args:
        body: the list as received.

    Raises:
        ListError: the body is not a list, or too many of its lines are invalid.
    """
    text, head = _text(body)
    commented = "#" in text[head:] or ";" in text[head:]
    found = None if commented else _plain(text[head:], None)
    if found is not None:
        take_mapped(*found)
        return parsed_list(*found)
    entries = _entries(text[head:], commented=commented)
    if not (entries or commented or head):
        raise ListError(tr("The list is empty."))
    return tolerant_list(entries, lambda: _numbered(text), unfinished=text.count("\n") + 1)


def _text(body: bytes) -> tuple[str, int]:
    """Return a body's text, and the length of the comment lines with which it begins."""
    refuse_markup(body)
    refuse_json(body)
    text = body.decode("utf-8-sig", errors="replace")
    if "\r" in text:  # searching for one character is much faster than for two
        text = text.replace("\r\n", "\n")
    return text, _head_length(text)


def _head_length(text: str) -> int:
    """Return the length of the comment lines with which the text begins."""
    at = 0
    while text[at : at + 1] in ("#", ";"):
        line_end = text.find("\n", at)
        if line_end < 0:
            return len(text)
        at = line_end + 1
    return at


def _check_header(header: str, family: Family | None, code: str | None) -> None:
    for match in _HEADER.finditer(header):
        said, digit = match["code"], match["family"]
        if said is not None and code is not None and said.upper() != code:
            raise ListError(
                tr("The list is that of {found}, not of {wanted}.", found=said.upper(), wanted=code)
            )
        if digit is not None and family is not None and digit != family.digit:
            raise ListError(
                tr("The list is {found}, not {wanted}.", found=f"IPv{digit}", wanted=family.label)
            )


def _plain(lines: str, family: Family | None) -> tuple[Ranges, Ranges] | None:
    """Return all lines, if each is just a prefix of the same family; else None."""
    mine = family or (Family.IPV6 if ":" in lines else Family.IPV4)
    ranges = bulk_lines(mine, lines)
    if ranges is None:
        return None
    ipv4, ipv6 = (ranges if each is mine else Ranges(each) for each in Family)
    return ipv4, ipv6


def _entries(text: str, *, commented: bool) -> list[str]:
    """Return the entries of all lines, stripped, without comments."""
    bare = _COMMENT.sub("", text) if commented else text
    lines = bare.split("\n")
    if any(blank in bare for blank in _BLANKS):
        lines = [line.strip(_BLANKS) for line in lines]
    return [line for line in lines if line]


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield the entries of all lines with the numbers of the lines."""
    for number, line in enumerate(text.split("\n"), start=1):
        entry = _COMMENT.sub("", line).strip(_BLANKS)
        if entry:
            yield number, entry


def _parse(wanted: ListId, family: Family | None, body: bytes) -> ParsedList:
    """Parse a text list; see ``Format.parse``.

    One invalid entry makes the list of a country or AS number invalid, since it decides who is
    allowed; a blocklist may have a few.
    """
    if wanted.kind is ListKind.BLOCKLIST:
        return parse_blocklist(body)
    if wanted.kind is ListKind.ASN:
        return parse_asn_text(body, family, wanted.name)
    return parse_text(body, family, wanted.name if wanted.kind is ListKind.COUNTRY else None)


def _recognise(_body: bytes) -> bool:
    """Whether this is the format to try: text has no mark of its own."""
    return True


FORMAT = Format("text", frozenset(ListKind), True, _recognise, _parse)
