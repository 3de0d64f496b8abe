"""Countries and their codes.

All 249 codes of ISO 3166-1, which includes every code that ipverse has a list for. Names are the
short English ones in common use.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from geofence.policy.mistakes import Mistake, nearest, plain, quoted


class Country(NamedTuple):
    """A country, or a territory with a code of its own."""

    code: str
    """ISO 3166-1 alpha-2."""
    code3: str
    """ISO 3166-1 alpha-3; only understood in order to suggest the code that rules take."""
    name: str


def country_name(code: str) -> str:
    """The country's English name; for what is no country's code, that itself."""
    country = _countries().get(code.upper())
    return country.name if country else code


def country_code(text: str) -> str:
    """The code in upper case, any case accepted.

    Raises:
        Mistake: there is no such country.
    """
    code = text.upper()
    if text.isascii() and code in _countries():  # "ß" in upper case would be South Sudan
        return code
    what = _NO_COUNTRIES.get(plain(text).strip().upper())
    if what:
        raise Mistake(f"{quoted(text)} is no country, but {what[0]}", what[1])
    guesses = (f'"{guess}" ({country_name(guess)})' for guess in _guesses(plain(text)))
    raise Mistake(
        f"{quoted(text)} is no country",
        'a two-letter code of ISO 3166-1 such as "JP"',
        *guesses,
    )


def country_meant(text: str) -> str | None:
    """The code of the country of this code or name; None for anything else, however similar."""
    word = text.strip().upper()
    by_word = _by_word()
    return word if word in _countries() else by_word.get(word)


@cache
def _countries() -> MappingProxyType[str, Country]:
    rows = (Country(*line.split(" ", 2)) for line in _TABLE.splitlines())
    return MappingProxyType({country.code: country for country in rows})


_OFTEN_MEANT = {
    "EL": "GR",
    "EN": "GB",
    "UK": "GB",
    "JA": "JP",
    "JAP": "JP",
    "KO": "KR",
    "ZH": "CN",
    "AMERICA": "US",
    "BRITAIN": "GB",
    "BURMA": "MM",
    "CAPE VERDE": "CV",
    "CZECH REPUBLIC": "CZ",
    "ENGLAND": "GB",
    "HOLLAND": "NL",
    "KOREA": "KR",
    "NIPPON": "JP",
    "SCOTLAND": "GB",
    "SWAZILAND": "SZ",
    "TURKEY": "TR",
    "UAE": "AE",
    "VATICAN": "VA",
    "WALES": "GB",
    "日本": "JP",
}
"""Codes of languages, other names, and codes that other lists use."""


_MEMBERS = (
    'its members: "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", '
    '"HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI" and "SK"'
)
_SINGLE = "the countries that you mean, each with its code"
_NO_COUNTRIES = {
    "EU": ("the European Union", _MEMBERS),
    "EUROPE": ("a continent", _SINGLE),
    "ASIA": ("a continent", _SINGLE),
    "AFRICA": ("a continent", _SINGLE),
    "AP": ("a code of GeoIP databases for Asia and the Pacific", _SINGLE),
    "XK": (
        "a code in use for Kosovo, for which registries have no list",
        '"RS" or "AL", whose lists hold most of its networks, or its networks as an exception',
    ),
    "CS": ("the former code of Serbia and Montenegro", '"RS" (Serbia) or "ME" (Montenegro)'),
    "YU": ("the former code of Yugoslavia", '"RS", "ME", "HR", "SI", "BA" or "MK"'),
    "SU": ("the former code of the Soviet Union", 'its successors, such as "RU" or "KZ"'),
    "DD": ("the former code of East Germany", '"DE" (Germany)'),
    "AN": (
        "the former code of the Netherlands Antilles",
        '"BQ" (Bonaire and others), "CW" (Curaçao) or "SX" (Sint Maarten)',
    ),
    "TP": ("the former code of East Timor", '"TL" (Timor-Leste)'),
    "ZR": ("the former code of Zaire", '"CD" (DR Congo)'),
    "A1": ("a code of GeoIP databases for proxies", _SINGLE),
    "A2": ("a code of GeoIP databases for satellites", _SINGLE),
    "O1": ("a code of GeoIP databases for other countries", _SINGLE),
}
"""What looks like a country's code and must not be taken for a slip of another: what it is, and
what to write instead."""


def _by_word() -> dict[str, str]:
    """Codes by three-letter code, by name and by what is often written for them."""
    by_word = dict(_OFTEN_MEANT)
    for country in _countries().values():
        by_word[country.code3] = country.code
        by_word[country.name.upper()] = country.code
    return by_word


def _guesses(text: str) -> tuple[str, ...]:
    """Codes of the countries that were probably meant, the likeliest only."""
    by_word = _by_word()
    word = text.strip().upper()
    swapped = word[::-1] if len(word) == len("JP") else word
    for exact in (word, word.replace("_", " ").replace("-", " "), swapped):
        code = exact if exact in _countries() else by_word.get(exact)
        if code:
            return (code,)
    return tuple(by_word[match] for match in nearest(word, by_word) if len(word) > len("JP"))


_TABLE = """\
AD AND Andorra
AE ARE United Arab Emirates
AF AFG Afghanistan
AG ATG Antigua and Barbuda
AI AIA Anguilla
AL ALB Albania
AM ARM Armenia
AO AGO Angola
AQ ATA Antarctica
AR ARG Argentina
AS ASM American Samoa
AT AUT Austria
AU AUS Australia
AW ABW Aruba
AX ALA Åland Islands
AZ AZE Azerbaijan
BA BIH Bosnia and Herzegovina
BB BRB Barbados
BD BGD Bangladesh
BE BEL Belgium
BF BFA Burkina Faso
BG BGR Bulgaria
BH BHR Bahrain
BI BDI Burundi
BJ BEN Benin
BL BLM Saint Barthélemy
BM BMU Bermuda
BN BRN Brunei
BO BOL Bolivia
BQ BES Caribbean Netherlands
BR BRA Brazil
BS BHS Bahamas
BT BTN Bhutan
BV BVT Bouvet Island
BW BWA Botswana
BY BLR Belarus
BZ BLZ Belize
CA CAN Canada
CC CCK Cocos (Keeling) Islands
CD COD DR Congo
CF CAF Central African Republic
CG COG Congo
CH CHE Switzerland
CI CIV Côte d'Ivoire
CK COK Cook Islands
CL CHL Chile
CM CMR Cameroon
CN CHN China
CO COL Colombia
CR CRI Costa Rica
CU CUB Cuba
CV CPV Cabo Verde
CW CUW Curaçao
CX CXR Christmas Island
CY CYP Cyprus
CZ CZE Czechia
DE DEU Germany
DJ DJI Djibouti
DK DNK Denmark
DM DMA Dominica
DO DOM Dominican Republic
DZ DZA Algeria
EC ECU Ecuador
EE EST Estonia
EG EGY Egypt
EH ESH Western Sahara
ER ERI Eritrea
ES ESP Spain
ET ETH Ethiopia
FI FIN Finland
FJ FJI Fiji
FK FLK Falkland Islands
FM FSM Micronesia
FO FRO Faroe Islands
FR FRA France
GA GAB Gabon
GB GBR United Kingdom
GD GRD Grenada
GE GEO Georgia
GF GUF French Guiana
GG GGY Guernsey
GH GHA Ghana
GI GIB Gibraltar
GL GRL Greenland
GM GMB Gambia
GN GIN Guinea
GP GLP Guadeloupe
GQ GNQ Equatorial Guinea
GR GRC Greece
GS SGS South Georgia and the South Sandwich Islands
GT GTM Guatemala
GU GUM Guam
GW GNB Guinea-Bissau
GY GUY Guyana
HK HKG Hong Kong
HM HMD Heard Island and McDonald Islands
HN HND Honduras
HR HRV Croatia
HT HTI Haiti
HU HUN Hungary
ID IDN Indonesia
IE IRL Ireland
IL ISR Israel
IM IMN Isle of Man
IN IND India
IO IOT British Indian Ocean Territory
IQ IRQ Iraq
IR IRN Iran
IS ISL Iceland
IT ITA Italy
JE JEY Jersey
JM JAM Jamaica
JO JOR Jordan
JP JPN Japan
KE KEN Kenya
KG KGZ Kyrgyzstan
KH KHM Cambodia
KI KIR Kiribati
KM COM Comoros
KN KNA Saint Kitts and Nevis
KP PRK North Korea
KR KOR South Korea
KW KWT Kuwait
KY CYM Cayman Islands
KZ KAZ Kazakhstan
LA LAO Laos
LB LBN Lebanon
LC LCA Saint Lucia
LI LIE Liechtenstein
LK LKA Sri Lanka
LR LBR Liberia
LS LSO Lesotho
LT LTU Lithuania
LU LUX Luxembourg
LV LVA Latvia
LY LBY Libya
MA MAR Morocco
MC MCO Monaco
MD MDA Moldova
ME MNE Montenegro
MF MAF Saint Martin
MG MDG Madagascar
MH MHL Marshall Islands
MK MKD North Macedonia
ML MLI Mali
MM MMR Myanmar
MN MNG Mongolia
MO MAC Macao
MP MNP Northern Mariana Islands
MQ MTQ Martinique
MR MRT Mauritania
MS MSR Montserrat
MT MLT Malta
MU MUS Mauritius
MV MDV Maldives
MW MWI Malawi
MX MEX Mexico
MY MYS Malaysia
MZ MOZ Mozambique
NA NAM Namibia
NC NCL New Caledonia
NE NER Niger
NF NFK Norfolk Island
NG NGA Nigeria
NI NIC Nicaragua
NL NLD Netherlands
NO NOR Norway
NP NPL Nepal
NR NRU Nauru
NU NIU Niue
NZ NZL New Zealand
OM OMN Oman
PA PAN Panama
PE PER Peru
PF PYF French Polynesia
PG PNG Papua New Guinea
PH PHL Philippines
PK PAK Pakistan
PL POL Poland
PM SPM Saint Pierre and Miquelon
PN PCN Pitcairn Islands
PR PRI Puerto Rico
PS PSE Palestine
PT PRT Portugal
PW PLW Palau
PY PRY Paraguay
QA QAT Qatar
RE REU Réunion
RO ROU Romania
RS SRB Serbia
RU RUS Russia
RW RWA Rwanda
SA SAU Saudi Arabia
SB SLB Solomon Islands
SC SYC Seychelles
SD SDN Sudan
SE SWE Sweden
SG SGP Singapore
SH SHN Saint Helena, Ascension and Tristan da Cunha
SI SVN Slovenia
SJ SJM Svalbard and Jan Mayen
SK SVK Slovakia
SL SLE Sierra Leone
SM SMR San Marino
SN SEN Senegal
SO SOM Somalia
SR SUR Suriname
SS SSD South Sudan
ST STP São Tomé and Príncipe
SV SLV El Salvador
SX SXM Sint Maarten
SY SYR Syria
SZ SWZ Eswatini
TC TCA Turks and Caicos Islands
TD TCD Chad
TF ATF French Southern Territories
TG TGO Togo
TH THA Thailand
TJ TJK Tajikistan
TK TKL Tokelau
TL TLS Timor-Leste
TM TKM Turkmenistan
TN TUN Tunisia
TO TON Tonga
TR TUR Türkiye
TT TTO Trinidad and Tobago
TV TUV Tuvalu
TW TWN Taiwan
TZ TZA Tanzania
UA UKR Ukraine
UG UGA Uganda
UM UMI US Minor Outlying Islands
US USA United States
UY URY Uruguay
UZ UZB Uzbekistan
VA VAT Vatican City
VC VCT Saint Vincent and the Grenadines
VE VEN Venezuela
VG VGB British Virgin Islands
VI VIR US Virgin Islands
VN VNM Vietnam
VU VUT Vanuatu
WF WLF Wallis and Futuna
WS WSM Samoa
YE YEM Yemen
YT MYT Mayotte
ZA ZAF South Africa
ZM ZMB Zambia
ZW ZWE Zimbabwe
"""
"""A line for each: alpha-2 code, alpha-3 code, name."""
