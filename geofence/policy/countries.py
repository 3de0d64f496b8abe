"""Country codes as rules write them."""

from __future__ import annotations

from geofence.geoip.countries import countries, country_name, likely_countries
from geofence.policy.mistakes import Mistake
from geofence.spelling import plain, quoted
from geofence.translation import tr


def country_code(text: str) -> str:
    """Read a code; any case is accepted, and upper case returned.

    Raises:
        Mistake: there is no such country.
    """
    code = text.upper()
    if text.isascii() and code in countries():  # "ß" in upper case would be South Sudan
        return code
    other = _not_countries().get(plain(text).strip().upper())
    if other:
        what, instead = other
        raise Mistake(
            tr("{code} is not a country but {what}", code=quoted(text), what=what), instead
        )
    raise Mistake(
        tr("unknown country {code}", code=quoted(text)),
        tr('a two-letter ISO 3166-1 code such as "JP"'),
        *(f'"{guess}" ({country_name(guess)})' for guess in likely_countries(plain(text))),
    )


def _not_countries() -> dict[str, tuple[str, str]]:
    """Return what is not a country and must not be taken for a misspelt one.

    Returns:
        By code or name: what it is, and what to write instead.
    """
    continent = tr("a continent"), _each_code()
    return {
        "EU": (tr("the European Union"), _members()),
        "EUROPE": continent,
        "ASIA": continent,
        "AFRICA": continent,
        "AP": (tr("a code of GeoIP databases for Asia and the Pacific"), _each_code()),
        "XK": (
            tr("a code in use for Kosovo, for which registries have no list"),
            tr('"RS" or "AL", whose lists have most of its networks, or an exception for them'),
        ),
        "A1": (tr("a code of GeoIP databases for proxies"), _each_code()),
        "A2": (tr("a code of GeoIP databases for satellites"), _each_code()),
        "O1": (tr("a code of GeoIP databases for other countries"), _each_code()),
        **_withdrawn_codes(),
    }


def _withdrawn_codes() -> dict[str, tuple[str, str]]:
    """Return codes of countries that no longer exist."""
    codes = {
        "CS": (tr("Serbia and Montenegro"), '"RS" (Serbia), "ME" (Montenegro)'),
        "YU": (tr("Yugoslavia"), '"RS", "ME", "HR", "SI", "BA", "MK"'),
        "SU": (tr("the Soviet Union"), '"RU", "KZ", …'),
        "DD": (tr("East Germany"), '"DE" (Germany)'),
        "AN": (
            tr("the Netherlands Antilles"),
            '"BQ" (Bonaire …), "CW" (Curaçao), "SX" (Sint Maarten)',
        ),
        "TP": (tr("East Timor"), '"TL" (Timor-Leste)'),
        "ZR": (tr("Zaire"), '"CD" (DR Congo)'),
    }
    return {
        # Translators: the country is one that no longer exists, such as Yugoslavia.
        code: (tr("the old code of {country}", country=country), successors)
        for code, (country, successors) in codes.items()
    }


def _each_code() -> str:
    return tr("the code of each country that you mean")


def _members() -> str:
    return tr(
        "its members: {codes}",
        codes='"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", '
        '"IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"',
    )
