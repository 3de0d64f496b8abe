"""URLs of lists as rules write them."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from geofence.policy.addresses import host_name
from geofence.policy.mistakes import Mistake, quoted

_EXPECTED = "an https URL such as https://example.org/drop.txt"
_EXPECTED_TEMPLATE = (
    "an https URL with {cc} for the country where a JSON is, with {cc} and {family} for text lists"
)
_COUNTRY, _FAMILY = "{cc}", "{family}"


def url(text: str) -> str:
    """The URL of a list.

    Raises:
        Mistake: it is none; or it is http, which only loopback may speak; or it has credentials.
    """
    _check(text, text, _EXPECTED)
    return text


def country_template(text: str) -> str:
    """A URL with ``{cc}`` and perhaps ``{family}`` in it.

    Raises:
        Mistake: a placeholder is missing or unknown, or it makes no URL that ``url`` would take.
    """
    filled = text.replace(_COUNTRY, "jp").replace(_FAMILY, "ipv4")
    if "{" in filled or "}" in filled:
        wrong = f"{quoted(text)} has other placeholders than {_COUNTRY} and {_FAMILY}"
        raise Mistake(wrong, _EXPECTED_TEMPLATE, *_meant(text))
    if _COUNTRY not in text:
        raise Mistake(f"{quoted(text)} has no {_COUNTRY} in it", _EXPECTED_TEMPLATE)
    _check(text, filled, _EXPECTED_TEMPLATE)
    return text


_OTHER_SPELLINGS = {
    _COUNTRY: r"\{\s*(cc|country|countrycode|country[-_]code|code)\s*\}",
    _FAMILY: r"\{\s*(family|af|ipv|version|proto)\s*\}",
}


def _meant(text: str) -> tuple[str, ...]:
    """The template with the placeholders that were probably meant."""
    better = text
    for placeholder, spellings in _OTHER_SPELLINGS.items():
        better = re.sub(spellings, placeholder, better, flags=re.IGNORECASE)
    rest = better.replace(_COUNTRY, "").replace(_FAMILY, "")
    unclear = "{" in rest or "}" in rest or quoted(better) == quoted(text)
    return () if unclear else (quoted(better),)


def _check(text: str, filled: str, expected: str) -> None:
    """Raise a Mistake about what is wrong with the URL; ``text`` is how the rule has it."""
    shown = quoted(re.sub(r"^[^/]*@", "…@", text))  # also without https:// it may be a password
    if not re.fullmatch(r"[!-~]+", filled):
        raise Mistake(f"{shown} has blanks or other than ASCII in it", expected)
    try:
        parts = urlsplit(filled)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Mistake(f"{shown} is no URL", expected) from error
    if "@" in parts.netloc:
        raise Mistake("a URL with a user name or password", f"{expected}; lists need no log-in")
    if parts.scheme not in ("http", "https") or not _is_host(host):
        raise Mistake(f"{shown} is no https URL", expected)
    if parts.scheme == "http" and not _is_loopback(host):
        raise Mistake(
            f"{shown} is plain http, which only loopback may speak",
            expected,
            re.sub("http:", "https:", shown, count=1, flags=re.IGNORECASE),
        )


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


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
