"""The format ``text``: a prefix, address or range per line, comments after ``#`` or ``;``."""

from __future__ import annotations

import re

from geofence.errors import ListError
from geofence.lists.entries import bulk_lines, bulk_prefixes, careful_entry
from geofence.lists.format import Format
from geofence.lists.parsed import BadLine, ParsedList, Ranges, parsed_list
from geofence.lists.sniff import refuse_json, refuse_markup
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from geofence.translation import join, tr, trn

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


_MAPPED = 0xFFFF << 32
"""``::ffff:0:0``: an IPv4 address written as IPv6 (RFC 4291, 2.5.5.2), as dual-stack daemons do."""
_MAPPED_SIZE = 1 << 32

FEW_BAD_LINES = 5
"""Invalid lines that any blocklist may have, if more are valid."""
BAD_LINES_PERCENT = 1
"""Share of its entries that may be invalid in a long blocklist."""


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
        found = _bulk(entries, family) or _careful(text, family)
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
    skipped: list[BadLine] = []
    if found is None:
        entries = _entries(text[head:], commented=commented)
        if not (entries or commented or head):
            raise ListError(tr("The list is empty."))
        found = _bulk(entries, None) or _careful(text, None, skipped)
        _refuse_many(skipped, len(entries), text)
    _take_mapped(*found)
    return parsed_list(*found, skipped)


def _text(body: bytes) -> tuple[str, int]:
    """Return a body's text, and the length of the comment lines with which it begins."""
    refuse_markup(body)
    refuse_json(body)
    text = body.decode("utf-8-sig", errors="replace")
    if "\r" in text:  # searching for one character is much faster than for two
        text = text.replace("\r\n", "\n")
    return text, _head_length(text)


def _refuse_many(skipped: list[BadLine], entries: int, text: str) -> None:
    """Refuse a blocklist with too many invalid lines.

    Raises:
        ListError: there are too many, or the last one looks cut off.
    """
    if not skipped:
        return
    right = entries - len(skipped)
    allowed = max(FEW_BAD_LINES, entries * BAD_LINES_PERCENT // 100)
    if right == 0 or len(skipped) > min(allowed, right):
        raise ListError(_too_many(skipped, entries))
    if skipped[-1].number == text.count("\n") + 1:
        raise ListError(tr("The list was cut short: {line}.", line=str(skipped[-1])))


def _too_many(skipped: list[BadLine], entries: int) -> str:
    """Return the first invalid line, and how many more there are."""
    more = len(skipped) - 1
    if not more:
        return skipped[0].sentence
    others = trn(
        more,
        "{number} more of its {entries} entries is invalid, too.",
        "{number} more of its {entries} entries are invalid, too.",
        entries=f"{entries:,}",
    )
    return join(" ", (skipped[0].sentence, others))


def _take_mapped(ipv4: Ranges, ipv6: Ranges) -> None:
    """Move IPv4 addresses written as IPv6 to IPv4.

    The whole of ``::ffff:0:0/96`` is left as it is: a list with it means that form of address,
    which no packet has, and not all of IPv4.
    """
    for first, past in ipv6.moved(_MAPPED, _MAPPED + _MAPPED_SIZE):
        if past - first == _MAPPED_SIZE:
            ipv6.append(first, past)
        else:
            ipv4.append(first - _MAPPED, past - _MAPPED)


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


def _bulk(entries: list[str], family: Family | None) -> tuple[Ranges, Ranges] | None:
    """Return all entries, if none is a range and all are valid; else None."""
    by_family: dict[Family, list[str]] = {Family.IPV4: [], Family.IPV6: []}
    if family is not None:
        by_family[family] = entries
    else:
        by_family[Family.IPV4] = [entry for entry in entries if ":" not in entry]
        by_family[Family.IPV6] = [entry for entry in entries if ":" in entry]
    ipv4, ipv6 = (bulk_prefixes(each, _with_lengths(each, by_family[each])) for each in Family)
    return None if ipv4 is None or ipv6 is None else (ipv4, ipv6)


def _with_lengths(family: Family, entries: list[str]) -> list[str]:
    """Return the entries with single addresses as prefixes of full length."""
    full = f"/{family.bits}"
    return [entry if "/" in entry else entry + full for entry in entries]


def _careful(
    text: str, family: Family | None, skipped: list[BadLine] | None = None
) -> tuple[Ranges, Ranges]:
    """Read entry by entry.

    Args:
        text: all lines.
        family: the family that every entry must have; None allows both.
        skipped: gets the invalid lines; None to stop at the first one.

    Raises:
        ListError: a line is invalid, and they are not skipped.
    """
    found = {each: Ranges(each) for each in Family}
    for number, line in enumerate(text.split("\n"), start=1):
        entry = _COMMENT.sub("", line).strip(_BLANKS)
        if not entry:
            continue
        try:
            mine, (first, past) = careful_entry(entry, family)
        except ValueError as error:
            bad = BadLine(number, str(error))
            if skipped is None:
                raise ListError(bad.sentence) from error
            skipped.append(bad)
        else:
            found[mine].append(first, past)
    return found[Family.IPV4], found[Family.IPV6]


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
