"""The format ``json``: ipverse's aggregated JSON of one country or AS number, both families.

Two generations of keys are in use. Since 2026-01-03::

    {"country": "Japan", "countryCode": "JP", "prefixes": {"ipv4": ["1.0.16.0/20", …], "ipv6": […]}}

and before: ``country-code`` and ``subnets``. An AS number has ``"asn": 4713`` instead of a country.
"""

from __future__ import annotations

from typing import cast

from geofence.errors import ListError
from geofence.lists.entries import bulk_prefixes, careful_prefix, shown
from geofence.lists.format import Format
from geofence.lists.json_body import loaded
from geofence.lists.parsed import ParsedList, Ranges, parsed_list
from geofence.lists.sniff import looks_like_json
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from geofence.spelling import quoted
from geofence.translation import tr

_CODE_KEYS = ("countryCode", "country-code")
_PREFIXES_KEYS = ("prefixes", "subnets")
_ASN_KEY = "asn"


def parse_country_json(body: bytes, code: str) -> ParsedList:
    """Return the prefixes of one country.

    Args:
        body: the JSON as received.
        code: the upper-case ISO 3166-1 alpha-2 code of the country that was asked for.

    Raises:
        ListError: the body is not such a JSON, is that of another country, contains an entry that
            is not a canonical prefix of its family, or contains no prefix.
    """
    document = _object(body)
    _require_country(document, code)
    return _prefixes(document)


def parse_asn_json(body: bytes, number: str) -> ParsedList:
    """Return the prefixes of one autonomous system.

    Args:
        body: the JSON as received.
        number: the AS number that was asked for, in decimal.

    Raises:
        ListError: the body is not such a JSON, is that of another system, contains an entry that is
            not a canonical prefix of its family, or contains no prefix.
    """
    document = _object(body)
    if _ASN_KEY not in document:
        raise ListError(tr("The list is JSON without the key {key}.", key=quoted(_ASN_KEY)))
    said = document[_ASN_KEY]
    if str(said) != number:
        raise ListError(
            tr(
                "The list is that of {found}, not of {wanted}.",
                found=f"AS{shown(said)}" if type(said) is int else shown(said),
                wanted=f"AS{number}",
            )
        )
    return _prefixes(document)


def _prefixes(document: dict[str, object]) -> ParsedList:
    """Return the prefixes of both families.

    Raises:
        ListError: they have another shape, or there are none.
    """
    key, families = _first_of(document, _PREFIXES_KEYS)
    if not isinstance(families, dict):
        raise ListError(
            tr("The list has an unexpected shape: {key} is not an object.", key=quoted(key))
        )
    ipv4, ipv6 = (_ranges(families.get(family.value), family, key) for family in Family)
    if not (ipv4.sizes or ipv6.sizes):
        raise ListError(tr("The list contains no prefix."))
    return parsed_list(ipv4, ipv6)


def _object(body: bytes) -> dict[str, object]:
    document = loaded(body)
    if not isinstance(document, dict):
        raise ListError(tr("The list is JSON, but not an object with a country."))
    return cast("dict[str, object]", document)


def _first_of(document: dict[str, object], keys: tuple[str, ...]) -> tuple[str, object]:
    for key in keys:
        if key in document:
            return key, document[key]
    raise ListError(
        tr(
            "The list is JSON without the key {key} (or {old_key}, its old name).",
            key=quoted(keys[0]),
            old_key=quoted(keys[1]),
        )
    )


def _require_country(document: dict[str, object], code: str) -> None:
    _, said = _first_of(document, _CODE_KEYS)
    if said != code:
        raise ListError(
            tr(
                "The list is that of {found}, not of {wanted}.",
                found=shown(said).strip('"'),
                wanted=code,
            )
        )


def _ranges(entries: object, family: Family, key: str) -> Ranges:
    """Return the prefixes of one family.

    Raises:
        ListError: an entry is wrong; the first one is named.
    """
    where = f"{key}.{family}"
    if not isinstance(entries, list):
        raise ListError(
            tr("The list has an unexpected shape: {key} is not an array.", key=quoted(where))
        )
    ranges = bulk_prefixes(family, entries, canonical=True)
    return ranges if ranges is not None else _careful(entries, family, where)


def _careful(entries: list[object], family: Family, where: str) -> Ranges:
    ranges = Ranges(family)
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, str):
            raise ListError(
                tr(
                    "Entry {number} of {key} is not a string: {entry}.",
                    number=number,
                    key=quoted(where),
                    entry=shown(entry),
                )
            )
        try:
            first, past = careful_prefix(family, entry, canonical=True)
        except ValueError as error:
            raise ListError(
                tr(
                    "Entry {number} of {key}: {problem}.",
                    number=number,
                    key=quoted(where),
                    problem=error,
                )
            ) from error
        ranges.append(first, past)
    return ranges


def _parse(wanted: ListId, family: Family | None, body: bytes) -> ParsedList:
    """Parse the JSON of a country or AS number; see ``Format.parse``."""
    if family is not None:
        raise ListError(
            tr("The list is JSON, which has both families; remove {family} from its URL.")
        )
    if wanted.kind is ListKind.ASN:
        return parse_asn_json(body, wanted.name)
    return parse_country_json(body, wanted.name)


FORMAT = Format("json", frozenset({ListKind.COUNTRY, ListKind.ASN}), False, looks_like_json, _parse)
