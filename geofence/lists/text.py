"""Text lists: one prefix, single address or range a line, comments after ``#`` or ``;``."""

from __future__ import annotations

import re

from geofence.errors import ListError
from geofence.lists.entries import bulk_lines, bulk_prefixes, careful_entry, shown
from geofence.lists.parsed import BadLine, ParsedList, Ranges, parsed_list
from geofence.lists.sniff import refuse_json, refuse_markup
from geofence.model.prefixes import Family

_HEADER = re.compile(
    r"^[ \t]*[#;][ \t]*(?:"
    r"Country:[^\n]*\((?P<code>[A-Za-z]{2})\)"
    r"|(?:Address family|IP version):[ \t]*IPv(?P<family>[46])"
    r")[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
"""Lines by which a list says what it is: ``# Country: Japan (JP)``, ``# Address family: IPv4``
(``# IP version: IPv4`` before 2026-01-03)."""

_BLANKS = " \t\r"
"""What may stand around an entry."""

_COMMENT = re.compile(r"[#;][^\n]*")


_MAPPED = 0xFFFF << 32
"""``::ffff:0:0``: an IPv4 address written as IPv6 (RFC 4291, 2.5.5.2), as dual-stack daemons do."""
_MAPPED_SIZE = 1 << 32

FEW_BAD_LINES = 5
"""Lines that may be wrong in any blocklist, if more are right."""
BAD_LINES_PERCENT = 1
"""Share of its entries that may be wrong in a long blocklist."""


def parse_text(body: bytes, family: Family | None = None, code: str | None = None) -> ParsedList:
    """The prefixes of a text list.

    Args:
        body: the list as received.
        family: what every entry must be of; None takes either.
        code: the upper-case code of the country that was asked for; None for other lists. Where
            the list's header says a country or a family, it must be the one asked for.

    Raises:
        ListError: the body is not a list, says it is another, holds an entry that is none (host
            bits are not forgiven: it cannot be known which prefix is meant), or holds no entry.
    """
    text, head = _text(body)
    commented = "#" in text[head:] or ";" in text[head:]
    _check_header(text if commented else text[:head], family, code)
    found = None if commented else _plain(text[head:], family)
    if found is None:
        entries = _entries(text[head:], commented=commented)
        if not entries:
            raise ListError("The list holds no prefix at all.")
        found = _bulk(entries, family) or _careful(text, family)
    return parsed_list(*found)


def parse_blocklist(body: bytes) -> ParsedList:
    """The prefixes of a blocklist, which may have some wrong lines, or none but comments.

    To do without the whole list for the sake of one line would open the fence to all the others.
    An IPv4 address that is written as IPv6 is taken as what it is.

    Args:
        body: the list as received.

    Raises:
        ListError: the body is not a list, or more of its lines are wrong than may be.
    """
    text, head = _text(body)
    commented = "#" in text[head:] or ";" in text[head:]
    found = None if commented else _plain(text[head:], None)
    skipped: list[BadLine] = []
    if found is None:
        entries = _entries(text[head:], commented=commented)
        if not (entries or commented or head):
            raise ListError("The list is empty.")
        found = _bulk(entries, None) or _careful(text, None, skipped)
        _refuse_many(skipped, len(entries), text)
    _take_mapped(*found)
    return parsed_list(*found, skipped)


def _text(body: bytes) -> tuple[str, int]:
    """A body's text, and the length of the comment lines with which it begins."""
    refuse_markup(body)
    refuse_json(body)
    text = body.decode("utf-8-sig", errors="replace")
    if "\r" in text:  # to look for one character is much faster than for two
        text = text.replace("\r\n", "\n")
    return text, _head_length(text)


def _refuse_many(skipped: list[BadLine], entries: int, text: str) -> None:
    """Refuse a blocklist of which too much is wrong.

    Raises:
        ListError: there are too many wrong lines, or the last one looks cut off.
    """
    if not skipped:
        return
    right = entries - len(skipped)
    allowed = max(FEW_BAD_LINES, entries * BAD_LINES_PERCENT // 100)
    if right == 0 or len(skipped) > min(allowed, right):
        more = f" {len(skipped) - 1:,} more of its {entries:,} entries are wrong, too."
        raise ListError(f"{skipped[0].sentence}{more if len(skipped) > 1 else ''}")
    if skipped[-1].number == text.count("\n") + 1:
        raise ListError(f"The list ends within a line: {skipped[-1]}.")


def _take_mapped(ipv4: Ranges, ipv6: Ranges) -> None:
    """Take IPv4 addresses written as IPv6 for IPv4.

    The whole of ``::ffff:0:0/96`` stays what it is: whoever lists it means that form of address,
    which no packet has, and not all of IPv4.
    """
    for first, past in ipv6.moved(_MAPPED, _MAPPED + _MAPPED_SIZE):
        if past - first == _MAPPED_SIZE:
            ipv6.append(first, past)
        else:
            ipv4.append(first - _MAPPED, past - _MAPPED)


def _head_length(text: str) -> int:
    """Length of the comment lines with which the text begins."""
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
            raise ListError(f"The list says it is {said.upper()}, not {code}.")
        if digit is not None and family is not None and digit != family.digit:
            raise ListError(f"The list says it is IPv{digit}, not IPv{family.digit}.")


def _plain(lines: str, family: Family | None) -> tuple[Ranges, Ranges] | None:
    """All lines, if each is a prefix of one and the same family and nothing else; else None."""
    mine = family or (Family.IPV6 if ":" in lines else Family.IPV4)
    ranges = bulk_lines(mine, lines)
    if ranges is None:
        return None
    ipv4, ipv6 = (ranges if each is mine else Ranges(each) for each in Family)
    return ipv4, ipv6


def _entries(text: str, *, commented: bool) -> list[str]:
    """The entries of all lines, stripped, without comments."""
    bare = _COMMENT.sub("", text) if commented else text
    lines = bare.split("\n")
    if any(blank in bare for blank in _BLANKS):
        lines = [line.strip(_BLANKS) for line in lines]
    return [line for line in lines if line]


def _bulk(entries: list[str], family: Family | None) -> tuple[Ranges, Ranges] | None:
    """All entries, if none is a range and none is wrong; else None."""
    by_family: dict[Family, list[str]] = {Family.IPV4: [], Family.IPV6: []}
    if family is not None:
        by_family[family] = entries
    else:
        by_family[Family.IPV4] = [entry for entry in entries if ":" not in entry]
        by_family[Family.IPV6] = [entry for entry in entries if ":" in entry]
    ipv4, ipv6 = (bulk_prefixes(each, _with_lengths(each, by_family[each])) for each in Family)
    return None if ipv4 is None or ipv6 is None else (ipv4, ipv6)


def _with_lengths(family: Family, entries: list[str]) -> list[str]:
    """Single addresses as prefixes of full length."""
    full = f"/{family.bits}"
    return [entry if "/" in entry else entry + full for entry in entries]


def _careful(
    text: str, family: Family | None, skipped: list[BadLine] | None = None
) -> tuple[Ranges, Ranges]:
    """Entry by entry.

    Args:
        text: all lines.
        family: what every entry must be of; None takes either.
        skipped: takes the lines that are wrong; None: the first one ends it.

    Raises:
        ListError: names the first line that is wrong.
    """
    found = {each: Ranges(each) for each in Family}
    for number, line in enumerate(text.split("\n"), start=1):
        entry = _COMMENT.sub("", line).strip(_BLANKS)
        if not entry:
            continue
        try:
            mine, (first, past) = careful_entry(entry, family)
        except ValueError as error:
            bad = BadLine(number, f"{shown(entry)}, {error}")
            if skipped is None:
                raise ListError(bad.sentence) from error
            skipped.append(bad)
        else:
            found[mine].append(first, past)
    return found[Family.IPV4], found[Family.IPV6]
