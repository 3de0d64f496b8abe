"""Who may use the panel: whoever has the link, once, and then the cookie. Pure but for chance."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

_BYTES = 32
"""Too many to guess, so wrong links are not counted: any page could use up all guesses."""


def _secret() -> str:
    return secrets.token_urlsafe(_BYTES)


@dataclass
class Sessions:
    """The one link, and the sessions that it opened (one)."""

    link: str = field(default_factory=_secret)
    _key: str = field(default_factory=_secret)
    _session: str | None = None
    _user: int | None = None
    """The local user whose program opened the link; None where the kernel does not tell."""
    _used: bool = False

    def enter(self, link: str, user: int | None) -> str | None:
        """Return the cookie for a link; None if it is wrong or used.

        Args:
            link: what was asked for.
            user: whose program asks, on this host.
        """
        is_right = hmac.compare_digest(link.encode(), self.link.encode())
        if not is_right or self._used:
            return None
        self._used, self._user = True, user
        self._session = _secret()
        return self._session

    def knows(self, cookie: str | None, user: int | None) -> bool:
        """Whether a cookie is that of the session, and comes from the user who opened it.

        Browsers send a cookie to all ports of a host. So a server of another user's on this host
        can get it; a connection of that user's cannot use it.
        """
        if cookie is None or self._session is None or user != self._user:
            return False
        return hmac.compare_digest(cookie.encode(), self._session.encode())

    def form_token(self) -> str:
        """Return what forms of the session carry, so that no other site can send them."""
        return hmac.new(
            self._key.encode(), (self._session or "").encode(), hashlib.sha256
        ).hexdigest()

    def is_form_token(self, token: str) -> bool:
        """Whether a form is one of the session's."""
        return self._session is not None and hmac.compare_digest(
            token.encode(), self.form_token().encode()
        )
