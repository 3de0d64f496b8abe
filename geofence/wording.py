"""Numbers, durations and counts of addresses as people read them."""

from __future__ import annotations

from geofence.lean import datetime, timedelta
from geofence.model.prefixes import Family, PrefixSet
from geofence.translation import tr, trn

_LENGTHS = (16, 32, 48, 64)
"""Prefix lengths by which IPv6 is counted: what a registry, a provider, a site and a link have."""
_ONE_BY_ONE = 1 << 16
"""Fewer IPv6 addresses than these are counted one by one, and fewer networks in their unit."""
_PLAIN_FROM = 100
"""Numbers from here on are shown without decimals."""
_MANY = 999.5


def addresses(family: Family, count: int) -> str:
    """Return a number of addresses for a table: ``188,807,488``; IPv6 in networks: ``10,240 /32``.

    Nobody can picture a number of IPv6 addresses, so the unit is the network that gives a number
    that people can: /64, /48, /32 or /16.
    """
    length = _unit(family, count)
    return f"{count:,}" if length is None else f"{_networks(count, length)} /{length}"


def address_count(family: Family, count: int) -> str:
    """Return a number of addresses for a sentence: ``188,807,488 IPv4 addresses``."""
    length = _unit(family, count)
    if length is not None:
        return _network_count(count, length)
    if family is Family.IPV4:
        return trn(count, "{number} IPv4 address", "{number} IPv4 addresses")
    return trn(count, "{number} IPv6 address", "{number} IPv6 addresses")


def _network_count(count: int, length: int) -> str:
    networks = _networks(count, length)
    if networks == "1":
        return tr("1 IPv6 /{length} network", length=length)
    # Translators: such as "10,240 IPv6 /32 networks".
    return tr("{count} IPv6 /{length} networks", count=networks, length=length)


def _unit(family: Family, count: int) -> int | None:
    """Return the length of the networks to count; None to count addresses."""
    if family is Family.IPV4 or count < _ONE_BY_ONE:
        return None
    sizes = {length: 1 << (family.bits - length) for length in _LENGTHS}
    fitting = (length for length, size in reversed(sizes.items()) if count < _ONE_BY_ONE * size)
    return next(fitting, _LENGTHS[0])


def _networks(count: int, length: int) -> str:
    """Return how many networks of a length the addresses would fill, rounded."""
    filled = count / (1 << (Family.IPV6.bits - length))
    if filled < _LEAST_SHOWN:
        return f"<{_LEAST_SHOWN}"
    text = f"{filled:,.{0 if filled >= _PLAIN_FROM else 1}f}"
    return text.removesuffix(".0")


_LEAST_SHOWN = 0.1


def percent(share: float) -> str:
    """Return ``39 %``, ``5.04 %`` or ``2,175 %``: three digits, or all before the point."""
    return f"{share:.3g} %" if share < _MANY else f"{share:,.0f} %"


def size(content: PrefixSet) -> str:
    """Return the number of addresses in a set, for a table."""
    return addresses(content.family, content.size)


def age(moment: datetime, now: datetime) -> str:
    """Return how long ago something was: ``3 h ago``."""
    # Translators: the span is such as "3 h".
    return tr("{span} ago", span=span(max(now - moment, timedelta())))


def span(length: timedelta) -> str:
    """Return a duration in its largest fitting unit."""
    seconds = int(length.total_seconds())
    if seconds >= 2 * 86_400:
        return tr("{number} d", number=seconds // 86_400)
    if seconds >= 2 * 3_600:
        return tr("{number} h", number=seconds // 3_600)
    if seconds >= 2 * 60:
        return tr("{number} min", number=seconds // 60)
    return tr("{number} s", number=seconds)


def plural(count: int, one: str, many: str = "") -> str:
    """Return ``1 rule`` or ``2 rules``, in English only; messages use ``trn``."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def moment(when: datetime) -> str:
    """Return a point in time for people, UTC."""
    return when.strftime("%Y-%m-%d %H:%M UTC")
