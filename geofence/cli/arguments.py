"""Arguments of the command line as values; a mistake is a UsageError."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from geofence.errors import UsageError
from geofence.translation import tr

if TYPE_CHECKING:
    from geofence.model.address import Address
    from geofence.model.policy import BackendChoice, Ports
    from geofence.model.prefixes import AddressSpace, Prefix


def backend_choice(text: str | None) -> BackendChoice | None:
    """Return the backend that an option or the environment names; None if the rules decide."""
    if text is None:
        return None
    from geofence.model.policy import BackendChoice

    try:
        return BackendChoice(text)
    except ValueError:
        from geofence.spelling import quoted

        raise UsageError(
            tr(
                "unknown backend {name}; valid: {known}.",
                name=quoted(text),
                known=", ".join(BackendChoice),
            )
        ) from None


def parse_address(text: str) -> Address:
    """Return an address of either family; an IPv4 address mapped into IPv6 counts as IPv4.

    A port after it, as logs write it, is ignored: it is the source port, which no rule looks at.
    """
    from netaddr import IPAddress
    from netaddr.core import AddrFormatError

    from geofence.model.address import Address
    from geofence.model.prefixes import Family

    try:
        address = IPAddress(_without_port(text), flags=0)
    except (AddrFormatError, ValueError):
        raise UsageError(_not_an_address(text)) from None
    if address.is_ipv4_mapped():
        address = address.ipv4()
    family = Family.IPV4 if address.version == 4 else Family.IPV6  # noqa: PLR2004 - of IP
    return Address(family, int(address))


def parse_space(text: str) -> AddressSpace:
    """Return the addresses of an address or a prefix."""
    from geofence.model.prefixes import AddressSpace
    from geofence.policy.addresses import prefix
    from geofence.spelling import plain

    try:
        return AddressSpace.of((prefix(plain(text)),))
    except ValueError as error:
        raise UsageError(str(error)) from error


def parse_asked(text: str) -> Address | Prefix | str:
    """Return an address, a prefix or a host name that ``why`` is asked about.

    A host name has a dot; a prefix of one address is that address.
    """
    from geofence.model.address import Address

    if "/" in text:
        found = _target(text)
        alone = found.length == found.family.bits
        return Address(found.family, found.network) if alone else found
    try:
        return parse_address(text)
    except UsageError:
        host = _host(text)
        if host is None:
            raise
        return host


def _host(text: str) -> str | None:
    from geofence.policy.addresses import host_name

    try:
        return host_name(text) if "." in text.rstrip(".") else None
    except ValueError:
        return None


def _not_an_address(text: str) -> str:
    from geofence.spelling import plain, quoted

    if plain(text) != text:
        return tr(
            "{text} is not an IP address; write {plain} in ASCII.",
            text=quoted(text),
            plain=plain(text),
        )
    return tr(
        "{text} is not an IP address; write one such as 203.0.113.7 or 2001:db8::7.",
        text=quoted(text),
    )


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
    """Return the seconds of a span of time such as ``60s`` or ``5m``; 0 for None."""
    if text is None:
        return 0
    from geofence.policy.quantities import probation

    try:
        return int(probation(text).total_seconds())
    except ValueError as error:
        raise UsageError(tr("--confirm-within: {mistake}", mistake=str(error))) from error


def parse_ports(texts: Iterable[str]) -> tuple[Ports, ...]:
    """Return destination ports such as ``5060/udp``."""
    from geofence.policy.quantities import ports

    try:
        return tuple(ports(text) for text in texts)
    except ValueError as error:
        raise UsageError(tr("--port: {mistake}", mistake=str(error))) from error


_LONGEST_WAIT = 86_400
"""Seconds: a day."""


def parse_wait(seconds: float, option: str) -> float:
    """Return a time to wait, in seconds; neither endless nor not a number.

    Raises:
        UsageError: it is out of range.
    """
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise UsageError(
            tr(
                "{option} takes seconds from 0 to {most}, not {seconds}.",
                option=option,
                most=_LONGEST_WAIT,
                seconds=f"{seconds:g}",
            )
        )
    return seconds


def parse_countries(texts: Iterable[str]) -> tuple[str, ...]:
    """Return country codes, each once."""
    from geofence.policy.countries import country_code
    from geofence.spelling import plain

    try:
        return tuple(dict.fromkeys(country_code(plain(text)) for text in texts))
    except ValueError as error:
        raise UsageError(tr("--country: {mistake}", mistake=str(error))) from error


def choose_language(code: str | None) -> None:
    """Speak a language from now on; None: as before.

    Raises:
        UsageError: geofence does not speak it.
    """
    from geofence.policy.languages import spoken
    from geofence.policy.mistakes import Mistake
    from geofence.translation import speak

    if code is None:
        return
    try:
        speak(spoken(code))
    except Mistake as error:
        raise UsageError(tr("--language: {error}.", error=error)) from error


def textfile_path(text: str) -> Path:
    """Return the path of a file for node_exporter, as ``[metrics] textfile`` takes it.

    Raises:
        UsageError: it is not absolute, or does not end in .prom.
    """
    from geofence.policy.mistakes import Mistake
    from geofence.policy.paths import textfile

    try:
        return textfile(text)
    except Mistake as error:
        raise UsageError(tr("--textfile: {error}.", error=error)) from error


def parse_places(texts: Iterable[str], regions: Mapping[str, object]) -> tuple[str, ...]:
    """Return country codes, and regions with ``@``, each once.

    Args:
        texts: as they were typed.
        regions: those that the rules define, by name.
    """
    from geofence.policy.regions import country_or_region
    from geofence.spelling import plain

    read = country_or_region(regions)
    try:
        found = tuple(dict.fromkeys(read(_upper(plain(text.strip(",")))) for text in texts))
    except ValueError as error:
        raise UsageError(tr("--country: {mistake}", mistake=str(error))) from error
    if not found:
        raise UsageError(tr("--country: name a country, such as JP."))
    return found


def _upper(text: str) -> str:
    return text if text.startswith("@") else text.upper() if len(text) == len("jp") else text


def parse_mail(texts: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return addresses of mail, each once; None for None."""
    from geofence.policy.recipients import mail_address

    if texts is None:
        return None
    try:
        return tuple(dict.fromkeys(map(mail_address, texts)))
    except ValueError as error:
        raise UsageError(tr("--mail: {mistake}", mistake=str(error))) from error


def parse_webhook_file(path: Path | None) -> str:
    """Return the absolute path of a file; empty for None."""
    return "" if path is None else str(path.absolute())


def parse_note(text: str | None) -> str:
    """Return one line for people; empty for None."""
    from geofence.policy.table_reader import description

    try:
        return description(text or "")
    except ValueError as error:
        raise UsageError(tr("--note: {mistake}", mistake=str(error))) from error


def parse_end(span: str | None, until: str | None) -> datetime | None:
    """Return when something ends, UTC, in whole seconds; None if it has no end.

    Args:
        span: how long from now, such as ``8h``.
        until: a point in time.
    """
    from geofence.policy.quantities import end

    if span is not None and until is not None:
        raise UsageError(tr("--for and --until exclude each other; use one of them."))
    now = datetime.now(UTC)
    lasting = parse_lasting(span)
    if lasting:
        found = now + lasting
    elif until is None:
        return None
    else:
        try:
            found = end(until, now.astimezone())
        except ValueError as error:
            raise UsageError(tr("--until: {mistake}", mistake=str(error))) from error
    whole = found.replace(microsecond=0)
    return whole if whole == found else whole + timedelta(seconds=1)


def parse_targets(verb: str, texts: Sequence[str] | None) -> tuple[Prefix, ...]:
    """Return addresses, as logs write them, and prefixes; each once."""
    if not texts:
        raise UsageError(
            tr("Name an address, for example 'geofence {verb} 203.0.113.7'.", verb=verb)
        )
    return tuple(dict.fromkeys(map(_target, texts)))


def _target(text: str) -> Prefix:
    from geofence.model.prefixes import Prefix
    from geofence.policy.addresses import prefix

    if "/" not in text:
        address = parse_address(text)
        return Prefix(address.family, address.number, address.family.bits)
    try:
        return prefix(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def parse_lasting(text: str | None) -> timedelta | None:
    """Return for how long something lasts; None if it has no end."""
    from geofence.policy.quantities import stay

    if text is None:
        return None
    try:
        return stay(text)
    except ValueError as error:
        raise UsageError(tr("--for: {mistake}", mistake=str(error))) from error


def parse_since(text: str | None) -> timedelta | None:
    """Return how long ago something may have been; None for any time."""
    if text is None:
        return None
    from geofence.policy.quantities import stay

    try:
        return stay(text)
    except ValueError as error:
        raise UsageError(tr("--since: {mistake}", mistake=str(error))) from error


def parse_choice(text: str, option: str, known: Sequence[str]) -> str:
    """Return one of the values that an option takes."""
    if text in known:
        return text
    from geofence.spelling import one_of, quoted

    raise UsageError(
        tr(
            "{option} takes {known}, not {value}.",
            option=option,
            known=one_of(known),
            value=quoted(text),
        )
    )


def parse_limit(limit: int | None, default: int) -> int:
    """Return how many rows to show; 0: all."""
    if limit is None:
        return default
    if limit < 0:
        raise UsageError(
            tr("--limit takes a number of rows, or 0 for all, not {value}.", value=limit)
        )
    return limit
