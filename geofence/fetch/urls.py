"""Which URLs may be fetched, and how they may be shown."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from geofence.errors import ListError


class Target(NamedTuple):
    """A URL that may be fetched, its credentials apart."""

    url: str
    """Without credentials and fragment."""
    credentials: tuple[str, str] | None
    """User and password that the URL held."""
    loopback: bool
    """Whether the host is this one."""


def target(url: str) -> Target:
    """Check a URL.

    Raises:
        ListError: it is malformed, or neither https nor http to the loopback.
    """
    parts = _split(url)
    loopback = _is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ListError(
            f"{public(url)} is not fetched: only https is, and plain http from the loopback."
        )
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return Target(urlunsplit(bare), _credentials(parts), loopback)


def redirected(source: Target, location: str) -> Target:
    """Where a redirect leads.

    Raises:
        ListError: it leads to plain http, or from another host to the loopback.
    """
    try:
        joined = urljoin(source.url, location)
    except ValueError:
        raise ListError(f"{public(source.url)} redirects to what is no URL.") from None
    try:
        found = target(joined)
    except ListError as error:
        raise ListError(f"{public(source.url)} redirects, and {error}") from error
    if found.loopback and not source.loopback:
        raise ListError(f"{public(source.url)} redirects to this host, which is not followed.")
    return found


def public(url: str) -> str:
    """The URL as people may see it: no credentials, no query, no control characters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "A malformed URL"
    query = "…" if parts.query else ""
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query, fragment="")
    return "".join(c if c.isprintable() else "?" for c in urlunsplit(bare))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ListError(f"{public(url)} is no URL of a list: https://HOST/PATH is expected.")
    return parts


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _credentials(parts: SplitResult) -> tuple[str, str] | None:
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")
