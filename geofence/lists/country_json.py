"""ipverse's aggregated JSON: one country, both families.

Two generations of keys are in use. Since 2026-01-03::

    {"country": "Japan", "countryCode": "JP", "prefixes": {"ipv4": ["1.0.16.0/20", …], "ipv6": […]}}

and before: ``country-code`` and ``subnets``.
"""

from __future__ import annotations

import json
from typing import cast

from geofence.errors import ListError
from geofence.lists.entries import bulk_prefixes, careful_prefix, shown
from geofence.lists.parsed import ParsedList, Ranges, parsed_list
from geofence.lists.sniff import refuse_markup
from geofence.model.prefixes import Family

_CODE_KEYS = ("countryCode", "country-code")
_PREFIXES_KEYS = ("prefixes", "subnets")


def parse_country_json(body: bytes, code: str) -> ParsedList:
    """The prefixes of one country.

    Args:
        body: the JSON as received.
        code: the upper-case ISO 3166-1 alpha-2 code of the country that was asked for.

    Raises:
        ListError: the body is not such a JSON, says it is another country, holds an entry that is
            no canonical prefix of its family, or holds no prefix at all.
    """
    document = _object(body)
    _require_country(document, code)
    key, families = _first_of(document, _PREFIXES_KEYS)
    if not isinstance(families, dict):
        raise ListError(f"The list is not what was expected: '{key}' is not an object.")
    ipv4, ipv6 = (_ranges(families.get(family.value), family, key) for family in Family)
    if not (ipv4.sizes or ipv6.sizes):
        raise ListError("The list holds no prefix at all.")
    return parsed_list(ipv4, ipv6)


def _object(body: bytes) -> dict[str, object]:
    refuse_markup(body)
    try:
        document: object = json.loads(body)
    except json.JSONDecodeError as error:
        raise ListError(
            f"The list is not JSON, or was cut short: {error.msg} at line {error.lineno}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ListError(f"The list is not JSON that can be read ({_short(error)}).") from error
    if not isinstance(document, dict):
        raise ListError("The list is JSON, but not an object that names a country.")
    return cast("dict[str, object]", document)


def _short(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else "wrong characters"


def _first_of(document: dict[str, object], keys: tuple[str, ...]) -> tuple[str, object]:
    for key in keys:
        if key in document:
            return key, document[key]
    raise ListError(f"The list is JSON without '{keys[0]}' (or, as formerly, '{keys[1]}').")


def _require_country(document: dict[str, object], code: str) -> None:
    _, said = _first_of(document, _CODE_KEYS)
    if said != code:
        raise ListError(f"The list says it is {shown(said).strip(chr(39))}, not {code}.")


def _ranges(entries: object, family: Family, key: str) -> Ranges:
    """The prefixes of one family.

    Raises:
        ListError: names the first entry that is wrong.
    """
    where = f"{key}.{family}"
    if not isinstance(entries, list):
        raise ListError(f"The list is not what was expected: '{where}' is not an array.")
    ranges = bulk_prefixes(family, entries, canonical=True)
    return ranges if ranges is not None else _careful(entries, family, where)


def _careful(entries: list[object], family: Family, where: str) -> Ranges:
    ranges = Ranges(family)
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, str):
            raise ListError(f"Entry {number} of '{where}' is not a text: {shown(entry)}.")
        try:
            first, past = careful_prefix(family, entry, canonical=True)
        except ValueError as error:
            raise ListError(f"Entry {number} of '{where}', {shown(entry)}, {error}.") from error
        ranges.append(first, past)
    return ranges
