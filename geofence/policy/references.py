"""Names of what other rules define, and of conntrack helpers, as rules write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from geofence.policy.mistakes import Mistake
from geofence.spelling import nearest, one_of, quoted
from geofence.translation import tr


def helper_name(text: str) -> str:
    """Read the name of a conntrack helper.

    Raises:
        Mistake: the kernel cannot have a helper of that name.
    """
    if re.fullmatch(r"[A-Za-z0-9._-]{1,15}", text):
        return text
    raise Mistake(
        tr("{value} is not the name of a conntrack helper", value=quoted(text)),
        tr('a name of up to 15 letters, digits, dots, hyphens or underscores, such as "sip"'),
    )


def service_name(services: Collection[str]) -> Callable[[str], str]:
    """Return a reader of the names of services that the rules define.

    Raises:
        Mistake: (the reader) no service has that name.
    """

    def read(text: str) -> str:
        if text in services:
            return text
        expected = one_of(services) if services else tr("a service that the rules define")
        wrong = tr("unknown service {name}", name=quoted(text))
        raise Mistake(wrong, expected, *nearest(text, services))

    return read


def blocklist_name(blocklists: Collection[str]) -> Callable[[str], str]:
    """Return a reader of the names of blocklists that the rules define.

    Raises:
        Mistake: (the reader) no blocklist has that name.
    """

    def read(text: str) -> str:
        if text in blocklists:
            return text
        expected = one_of(blocklists) if blocklists else tr("a blocklist that the rules define")
        wrong = tr("unknown blocklist {name}", name=quoted(text))
        raise Mistake(wrong, expected, *nearest(text, blocklists))

    return read
