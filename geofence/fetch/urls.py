"""URLs of lists: which ones may be fetched, and how they are shown."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from geofence.errors import ListError
from geofence.host.loopback import is_loopback
from geofence.model.frozen import NamedTuple
from geofence.spelling import printable
from geofence.translation import clause, tr


class Target(NamedTuple):
    """A URL that may be fetched, without its credentials."""

    url: str
    """Without credentials and fragment."""
    credentials: tuple[str, str] | None
    """User and password that were in the URL."""
    loopback: bool
    """Whether the host is this one."""
    secret: str = ""
    """A part of the URL that nobody may see; empty for none."""

    @property
    def shown(self) -> str:
        """The URL as people may see it."""
        return public(self.url, self.secret)


def target(url: str, secret: str = "") -> Target:
    """Check a URL.

    Args:
        url: with its secrets.
        secret: a part of it that nobody may see, beside what ``public`` leaves out.

    Raises:
        ListError: it is malformed, or neither https nor http to the loopback.
    """
    parts = _split(url, secret)
    loopback = is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ListError(
            tr(
                "{url}: only https is allowed, and plain http only from loopback.",
                url=public(url, secret),
            )
        )
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return Target(urlunsplit(bare), _credentials(parts), loopback, secret)


def redirected(source: Target, location: str) -> Target:
    """Return the target of a redirect.

    Raises:
        ListError: it leads to plain http, or from another host to the loopback.
    """
    try:
        joined = urljoin(source.url, location)
    except ValueError:
        raise ListError(
            tr("{url}: the server redirects to an invalid URL.", url=source.shown)
        ) from None
    try:
        found = target(joined, source.secret)
    except ListError as error:
        raise ListError(
            tr(
                "{url}: the redirect is refused ({reason}).",
                url=source.shown,
                reason=clause(str(error)),
            )
        ) from error
    if found.loopback and not source.loopback:
        raise ListError(
            tr(
                "{url}: the server redirects to this host, which is not followed.",
                url=source.shown,
            )
        )
    return found


def public(url: str, secret: str = "") -> str:
    """Return the URL as people may see it: no credentials, no query, no control characters.

    An absolute path is shown as it is.

    Args:
        url: with its secrets.
        secret: another part of it that nobody may see.
    """
    if secret:
        url = url.replace(secret, "…")
    if url.startswith("/"):
        return printable(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return tr("(malformed URL)")
    query = "…" if parts.query else ""
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query, fragment="")
    return "".join(c if c.isprintable() else "?" for c in urlunsplit(bare))


def _split(url: str, secret: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ListError(
            tr("{url} is not a URL of a list; expected https://HOST/PATH.", url=public(url, secret))
        )
    return parts


def _credentials(parts: SplitResult) -> tuple[str, str] | None:
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")
