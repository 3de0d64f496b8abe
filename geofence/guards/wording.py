"""Numbers of addresses in words that a person can compare."""

from __future__ import annotations

from geofence.model.prefixes import Family

_BIG = 1 << 96
_SITE = 1 << 80
_PLAIN_FROM = 100
_MANY = 999.5


def addresses(family: Family, number: int) -> str:
    """``188,807,488 IPv4 addresses``; IPv6 in the /32s or /48s that they would fill."""
    if family is Family.IPV4:
        return f"{number:,} IPv4 address{'' if number == 1 else 'es'}"
    if number < _SITE:
        return f"{number or 'no'} IPv6 address{'' if number == 1 else 'es'}"
    unit, length = (_BIG, 32) if number >= _BIG else (_SITE, 48)
    filled = number / unit
    digits = 0 if filled >= _PLAIN_FROM or filled == round(filled) else 1
    return f"{filled:,.{digits}f} /{length}{'' if filled == 1 else 's'} of IPv6"


def percent(share: float) -> str:
    """``39 %``, ``5.04 %``, ``2,175 %``: three digits, or as many as stand before the point."""
    return f"{share:.3g} %" if share < _MANY else f"{share:,.0f} %"
