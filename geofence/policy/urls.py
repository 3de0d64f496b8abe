"""URLs of lists as rules write them."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from geofence.loopback import is_loopback
from geofence.policy.addresses import host_name
from geofence.policy.mistakes import Mistake
from geofence.spelling import quoted
from geofence.translation import tr

_COUNTRY, FAMILY = "{cc}", "{family}"
"""Placeholders in the URL of country lists."""


def _expected() -> str:
    return tr("an https URL such as https://example.org/drop.txt")


def _expected_template() -> str:
    return tr(
        "an https URL with {cc} for the country code; also with {family} where each family "
        "has a list of its own"
    )


def url(text: str) -> str:
    """Read the URL of a list.

    Raises:
        Mistake: it is not a URL, is http to another host than loopback, or has credentials.
    """
    _check(text, text, _expected())
    return text


def country_template(text: str) -> str:
    """Read a URL with ``{cc}`` and perhaps ``{family}`` in it.

    Raises:
        Mistake: a placeholder is missing or unknown, or ``url`` would not take the result.
    """
    filled = text.replace(_COUNTRY, "jp").replace(FAMILY, "ipv4")
    if "{" in filled or "}" in filled:
        wrong = tr("{url} has other placeholders than {{cc}} and {{family}}", url=quoted(text))
        raise Mistake(wrong, _expected_template(), *_meant(text))
    if _COUNTRY not in text:
        raise Mistake(tr("{url} has no {{cc}} in it", url=quoted(text)), _expected_template())
    _check(text, filled, _expected_template())
    return text


_OTHER_SPELLINGS = {
    _COUNTRY: r"\{\s*(cc|country|countrycode|country[-_]code|code)\s*\}",
    FAMILY: r"\{\s*(family|af|ipv|version|proto)\s*\}",
}


def _meant(text: str) -> tuple[str, ...]:
    """Return the template with the placeholders that were probably meant."""
    better = text
    for placeholder, spellings in _OTHER_SPELLINGS.items():
        better = re.sub(spellings, placeholder, better, flags=re.IGNORECASE)
    rest = better.replace(_COUNTRY, "").replace(FAMILY, "")
    unclear = "{" in rest or "}" in rest or quoted(better) == quoted(text)
    return () if unclear else (quoted(better),)


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
