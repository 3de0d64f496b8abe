"""What people type, as values; a mistake is a UsageError that says what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterable

from geofence.errors import UsageError
from geofence.model.policy import BackendChoice, Ports
from geofence.model.prefixes import Family


def backend_choice(text: str | None) -> BackendChoice | None:
    """The backend named by an option or the environment; None for whatever the rules say."""
    if text is None:
        return None
    try:
        return BackendChoice(text)
    except ValueError:
        known = ", ".join(BackendChoice)
        raise UsageError(f"There is no backend {text!r}; the choices are {known}.") from None


def parse_address(text: str) -> tuple[Family, int]:
    """An address of either family; an IPv4 address mapped into IPv6 counts as IPv4.

    A port after it, as logs write it, is passed over: it is the sender's own, which no rule asks
    for.
    """
    from netaddr import IPAddress
    from netaddr.core import AddrFormatError

    try:
        address = IPAddress(_without_port(text), flags=0)
    except (AddrFormatError, ValueError):
        from geofence.spelling import plain

        like = "one such as 203.0.113.7 or 2001:db8::7"
        give = like if plain(text) == text else f"{plain(text)}, in ASCII"
        raise UsageError(f"{text!r} is no address; give {give}.") from None
    if address.is_ipv4_mapped():
        address = address.ipv4()
    return (Family.IPV4 if address.version == 4 else Family.IPV6), int(address)  # noqa: PLR2004 - IP


_WITH_PORT = re.compile(
    r"(\d+\.\d+\.\d+\.\d+):(\d{1,5})|\[([^][]*:[^][]*)\](?::(\d{1,5}))?", re.ASCII
)
"""``192.0.2.1:5060``, ``[2001:db8::1]:5060`` and ``[2001:db8::1]``."""
_HIGHEST_PORT = 65_535


def _without_port(text: str) -> str:
    found = _WITH_PORT.fullmatch(text)
    if found is None:
        return text
    ipv4, port, ipv6, other = found.groups()
    return text if int(port or other or 0) > _HIGHEST_PORT else ipv4 or ipv6


def parse_seconds(text: str | None) -> int:
    """A span of time such as ``60s`` or ``5m``, in seconds; 0 for None."""
    if text is None:
        return 0
    from geofence.policy.quantities import probation

    try:
        return int(probation(text).total_seconds())
    except ValueError as error:
        raise UsageError(f"--confirm-within: {error}") from error


def parse_ports(texts: Iterable[str]) -> tuple[Ports, ...]:
    """Destination ports such as ``5060/udp``."""
    from geofence.policy.quantities import ports

    try:
        return tuple(ports(text) for text in texts)
    except ValueError as error:
        raise UsageError(f"--port: {error}") from error


_LONGEST_WAIT = 86_400
"""Seconds: a day."""


def parse_wait(seconds: float, option: str) -> float:
    """A span of time to wait, in seconds; neither endless nor no number at all."""
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise UsageError(f"{option} takes seconds from 0 to {_LONGEST_WAIT}, not {seconds:g}.")
    return seconds
