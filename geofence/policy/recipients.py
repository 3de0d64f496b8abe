"""Whom ``[notify]`` tells: addresses of mail, and the file with the URL of a webhook."""

from __future__ import annotations

import re

from geofence.policy.mistakes import Mistake
from geofence.spelling import quoted
from geofence.translation import tr

_LONGEST = 254
"""RFC 5321 section 4.5.3.1.3, without the brackets."""
_ADDRESS = r"[A-Za-z0-9_+][A-Za-z0-9.!#$%&'*+/=?^_{|}~-]*(@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)?"
"""RFC 5322 without quoted names and comments; a user of this host has no ``@``. It cannot begin
with a hyphen, which a program would take for an option."""


def mail_address(text: str) -> str:
    """Read an address that gets mail.

    Raises:
        Mistake: it is not one.
    """
    if len(text) <= _LONGEST and re.fullmatch(_ADDRESS, text):
        return text
    raise Mistake(
        tr("{value} is not a mail address", value=quoted(text)),
        tr('an address such as "admin@example.com", or a user of this host such as "root"'),
    )


def file_path(text: str) -> str:
    """Read the absolute path of a file.

    Raises:
        Mistake: it is not absolute.
    """
    if text.startswith("/") and "\0" not in text:
        return text
    raise Mistake(
        tr("{value} is not an absolute path", value=quoted(text)),
        tr('the path of a file such as "/etc/geofence/webhook"'),
    )
