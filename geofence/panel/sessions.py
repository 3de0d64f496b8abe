"""Who may use the panel: whoever has the link, once, and then the cookie. Pure but for chance."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

_BYTES = 32
MOST_GUESSES = 10
"""Wrong links until none is taken any more."""


def _secret() -> str:
    return secrets.token_urlsafe(_BYTES)


@dataclass
class Sessions:
    """The one link, and the sessions that it opened (one)."""

    link: str = field(default_factory=_secret)
    _key: str = field(default_factory=_secret)
    _session: str | None = None
    _guesses: int = 0
    _used: bool = False

    def enter(self, link: str) -> str | None:
        """Return the cookie for a link; None if it is wrong, used, or was guessed at too often."""
        is_right = hmac.compare_digest(link.encode(), self.link.encode())
        if not is_right:
            self._guesses += 1
        if not is_right or self._used or self._guesses >= MOST_GUESSES:
            return None
        self._used = True
        self._session = _secret()
        return self._session

    def knows(self, cookie: str | None) -> bool:
        """Whether a cookie is that of the session."""
        if cookie is None or self._session is None:
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
