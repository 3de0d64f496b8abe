"""URLs and paths of lists as rules write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from geofence.host.loopback import is_loopback
from geofence.model.frozen import NamedTuple
from geofence.policy.addresses import host_name
from geofence.policy.mistakes import Mistake
from geofence.spelling import printable, quoted
from geofence.translation import tr

COUNTRY, ASN, FAMILY, URL = "{cc}", "{asn}", "{family}", "{url}"
"""Placeholders: a country's code, an AS number, ipv4 or ipv6, and the URL of the list itself."""

_FILLED = {COUNTRY: "jp", ASN: "4713", FAMILY: "ipv4", URL: "https://example.org/jp.txt"}


class Placeholders(NamedTuple):
    """The placeholders of a template."""

    needed: str
    """The one that it must have; empty for none."""
    known: tuple[str, ...]
    """All that it may have."""

    def named(self) -> str:
        """Return them as a message names them."""
        *others, last = self.known
        return tr("{others} and {last}", others=", ".join(others), last=last) if others else last


OF_COUNTRIES = Placeholders(COUNTRY, (COUNTRY, FAMILY))
OF_ASNS = Placeholders(ASN, (ASN, FAMILY))
OF_CHECKSUMS = Placeholders("", (URL, COUNTRY, ASN, FAMILY))

_DATABASES = (".mmdb", ".csv")
"""End the path of what may have all countries, without a format that says so."""


def _expected() -> str:
    return tr("an https URL such as https://example.org/drop.txt")


def _expected_template(known: Placeholders) -> str:
    if known.needed == ASN:
        return tr(
            "an https URL with {asn} for the AS number; also with {family} where each family has a "
            "list of its own"
        )
    if known.needed == COUNTRY:
        return tr(
            "an https URL with {cc} for the country code; also with {family} where each family "
            "has a list of its own"
        )
    return tr('an https URL such as "{url}.sha256"')


def url(text: str) -> str:
    """Read the URL or the absolute path of a list; return a file's URL as its path.

    Raises:
        Mistake: it is neither, is http to another host than loopback, or has credentials.
    """
    if _is_local(text):
        return _path(text)
    _check(text, text, _expected())
    return text


def template(known: Placeholders) -> Callable[[str], str]:
    """Return a reader of URLs and absolute paths with placeholders in them.

    Raises:
        Mistake: (the reader) a placeholder is unknown, or ``url`` would not take the result.
    """

    def read(text: str) -> str:
        expected = _expected_template(known)
        filled = text
        for placeholder in known.known:
            filled = filled.replace(placeholder, _FILLED[placeholder])
        if "{" in filled or "}" in filled:
            wrong = tr(
                "{url} has other placeholders than {known}", url=quoted(text), known=known.named()
            )
            raise Mistake(wrong, expected, *_meant(text, known))
        if _is_local(filled):
            return _path(text)
        _check(text, filled, expected)
        return text

    return read


def lacking(text: str, known: Placeholders) -> Mistake:
    """Return the mistake of a template without the placeholder that it needs.

    Args:
        text: the template.
        known: its placeholders.
    """
    wrong = tr("{url} has no {placeholder} in it", url=quoted(text), placeholder=known.needed)
    if known.needed != COUNTRY:
        return Mistake(wrong, _expected_template(known))
    return Mistake(
        wrong,
        tr(
            "a URL with {cc} for the country code; for a database of all countries, write "
            'format = "mmdb" or format = "csv"'
        ),
    )


def looks_like_database(text: str) -> bool:
    """Whether a URL or path ends as that of a database of all countries."""
    path = urlsplit(text).path if "://" in text else text
    return path.removesuffix(".gz").endswith(_DATABASES)


def is_directory(text: str) -> bool:
    """Whether a URL or path, read, is the path of a directory."""
    return text.startswith("/") and text.endswith("/")


_OTHER_SPELLINGS = {
    COUNTRY: r"\{\s*(cc|country|countrycode|country[-_]code|code)\s*\}",
    ASN: r"\{\s*(asn|as|number|as[-_]number)\s*\}",
    FAMILY: r"\{\s*(family|af|ipv|version|proto)\s*\}",
    URL: r"\{\s*(url|uri|list|file)\s*\}",
}


def _meant(text: str, known: Placeholders) -> tuple[str, ...]:
    """Return the template with the placeholders that were probably meant."""
    better = text
    for placeholder in known.known:
        better = re.sub(_OTHER_SPELLINGS[placeholder], placeholder, better, flags=re.IGNORECASE)
    rest = better
    for placeholder in known.known:
        rest = rest.replace(placeholder, "")
    unclear = "{" in rest or "}" in rest or quoted(better) == quoted(text)
    return () if unclear else (quoted(better),)


def _is_local(text: str) -> bool:
    return text.startswith("/") or text[:5].lower() == "file:"


def _path(text: str) -> str:
    """Read a ``file:`` URL or an absolute path; return the path.

    Raises:
        Mistake: the URL is of another host, or the path is not a plain absolute one.
    """
    path = text
    if not text.startswith("/"):
        host, slash, rest = text[5:].removeprefix("//").partition("/")
        if not text[5:].startswith("/") or host not in ("", "localhost") or not slash:
            wrong = tr("{url} is not the URL of a file on this host", url=quoted(text))
            raise Mistake(wrong, tr("three slashes, as in file:///var/lib/lists/drop.txt"))
        path = "/" + unquote(rest.lstrip("/"), errors="replace")
    plain = path == printable(path) and "\N{REPLACEMENT CHARACTER}" not in path
    if not plain or "//" in path or {".", ".."} & set(path.split("/")) or path == "/":
        wrong = tr("{path} is not a plain absolute path", path=quoted(text))
        raise Mistake(wrong, tr("a path such as /var/lib/lists/drop.txt"))
    return path


def _check(text: str, filled: str, expected: str) -> None:
    """Raise a Mistake about what is wrong with the URL; ``text`` is how the rule has it."""
    shown = quoted(re.sub(r"^[^/]*@", "…@", text))  # also without https:// it may be a password
    if not re.fullmatch(r"[!-~]+", filled):
        raise Mistake(tr("{url} contains blanks or characters beyond ASCII", url=shown), expected)
    try:
        parts = urlsplit(filled)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Mistake(tr("{url} is not a URL", url=shown), expected) from error
    if "@" in parts.netloc:
        wrong = tr("the URL contains a user name or password, which lists do not need")
        raise Mistake(wrong, expected)
    if parts.scheme not in ("http", "https") or not _is_host(host):
        raise Mistake(tr("{url} is not an https URL", url=shown), expected)
    if parts.scheme == "http" and not is_loopback(host):
        raise Mistake(
            tr("{url} is plain http, which is only allowed to loopback", url=shown),
            expected,
            re.sub("http:", "https:", shown, count=1, flags=re.IGNORECASE),
        )


def _is_host(host: str) -> bool:
    try:
        return _is_address(host) or bool(host_name(host))
    except Mistake:
        return False


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
