"""AS numbers as rules write them."""

from __future__ import annotations

import re

from geofence.policy.mistakes import Mistake
from geofence.spelling import plain, quoted
from geofence.translation import tr

_HIGHEST = (1 << 32) - 1
"""RFC 6793: four bytes."""

_TRANSITION = 23456
"""``AS_TRANS`` of RFC 6793, which stands for any number that an old router cannot express."""
_DOCUMENTATION = (range(64496, 64512), range(65536, 65552))
"""RFC 5398."""
_PRIVATE = (range(64512, 65535), range(4_200_000_000, 4_294_967_295))
"""RFC 6996."""
_LAST = (65535, _HIGHEST)
"""RFC 7300."""


def _expected() -> str:
    return tr("the number of a public autonomous system, such as 4713")


def asn(text: str) -> int:
    """Read an AS number, with or without ``AS`` before it.

    Raises:
        Mistake: it is not one, or one that no network on the Internet has.
    """
    match = re.fullmatch(r"(?:AS)?([0-9]{1,10})", text, re.ASCII | re.IGNORECASE)
    if match is None:
        wrong = tr("{value} is not an AS number", value=quoted(text))
        raise Mistake(wrong, _expected(), *_meant(text))
    number = int(match[1])
    use = _other_use(number)
    if use:
        raise Mistake(tr("AS{number} is {use}", number=number, use=use), _expected())
    return number


def _other_use(number: int) -> str:
    """Return what a number is for that no network has; empty for a public one."""
    if not 1 <= number <= _HIGHEST:
        return tr("out of range")
    if any(number in each for each in _PRIVATE):
        return tr("for private use")
    if any(number in each for each in _DOCUMENTATION):
        return tr("for documentation")
    if number == _TRANSITION or number in _LAST:
        return tr("reserved")
    return ""


def _meant(text: str) -> tuple[str, ...]:
    """Return the number in ``ASN 4713``, ``as-4713`` or ``AS4713 (OCN)``."""
    match = re.search(r"(?<![0-9.])[0-9]{1,10}(?![0-9.])", plain(text))
    if match is None or _other_use(int(match[0])) or re.search(r"^-|[/:]", text):
        return ()
    return (match[0],)
