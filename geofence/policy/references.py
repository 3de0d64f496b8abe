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
    return _defined(
        services,
        lambda name: tr("unknown service {name}", name=name),
        lambda: tr("a service that the rules define"),
    )


def blocklist_name(blocklists: Collection[str]) -> Callable[[str], str]:
    """Return a reader of the names of blocklists that the rules define.

    Raises:
        Mistake: (the reader) no blocklist has that name.
    """
    return _defined(
        blocklists,
        lambda name: tr("unknown blocklist {name}", name=name),
        lambda: tr("a blocklist that the rules define"),
    )


def exception_name(exceptions: Collection[str]) -> Callable[[str], str]:
    """Return a reader of the names of exceptions that the rules define.

    Raises:
        Mistake: (the reader) no exception has that name.
    """
    return _defined(
        exceptions,
        lambda name: tr("unknown exception {name}", name=name),
        lambda: tr("an exception that the rules define"),
    )


def _defined(
    names: Collection[str], unknown: Callable[[str], str], any_of: Callable[[], str]
) -> Callable[[str], str]:
    """Return a reader of names that the rules define, given what to say of others."""

    def read(text: str) -> str:
        if text in names:
            return text
        expected = one_of(names) if names else any_of()
        raise Mistake(unknown(quoted(text)), expected, *nearest(text, names))

    return read
