"""Tables of all countries: networks and ranges, addresses and numbers, with and without heading."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.lists.formats import cut_out, parse_part
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family
from tests.support.values import prefixes, space

JP = ListId(ListKind.COUNTRY, "JP")
HELD = space("1.0.16.0/20", "2001:200::/32")


def japan(body: str | bytes, family: Family | None = None) -> AddressSpace:
    """Japan's addresses in a table, as they are read again once they are stored."""
    content = body.encode() if isinstance(body, str) else body
    name, lists = cut_out(content, family, ["JP", "US"])
    assert name == "csv"
    return parse_part(JP, None, lists["JP"], name).space


@pytest.mark.parametrize(
    "table",
    [
        "1.0.16.0/20,JP\n2001:200::/32,JP\n8.0.0.0/8,US\n",
        "network,country_code\r\n1.0.16.0/20,JP\r\n2001:200::/32,JP\r\n",
        (
            "network,country,country_code,continent\n1.0.16.0/20,Japan,JP,Asia\n"
            '2001:200::/32,"Japan",JP,Asia\n'
        ),
        "# made by hand\n\n1.0.16.0/20, jp\n2001:200::/32, jp\n",
        (
            "0.0.0.0,0.255.255.255,ZZ\n1.0.16.0,1.0.31.255,JP\n"
            "2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n"
        ),
        (
            "start_ip,end_ip,country,country_name\n1.0.16.0,1.0.31.255,JP,Japan\n"
            "2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP,Japan\n"
        ),
        (
            "\ufeffStart IP,End IP,CC\n1.0.16.0,1.0.23.255,JP\n1.0.24.0,1.0.31.255,JP\n"
            "2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n"
        ),
    ],
)
def test_every_shape(table: str) -> None:
    assert japan(table) == HELD


def test_numbers_are_ipv4_if_all_are_small() -> None:
    table = '"0","16777215","-","-"\n"16781312","16785407","JP","Japan"\n'
    assert japan(table) == space("1.0.16.0/20")


def test_numbers_are_ipv6_if_one_is_large() -> None:
    first = 0x2001_0200 << 96
    mapped = (0xFFFF << 32) + 16781312
    table = (
        '"0","281470681743359","-","-"\n'
        f'"{mapped}","{mapped + 4095}","JP","Japan"\n'
        f'"{first}","{first + (1 << 96) - 1}","JP","Japan"\n'
    )
    assert japan(table) == HELD
    assert japan(table, Family.IPV6) == space("2001:200::/32")


@pytest.mark.parametrize("digits", [str(1 << 128), "9" * 50, "9" * 1000])
def test_numbers_that_no_address_has_are_refused(digits: str) -> None:
    with pytest.raises(ListError, match=r"^Line 2: .* is not an address"):
        japan(f"1,2,JP\n1,{digits},JP\n")


def test_a_table_by_family_may_not_have_the_other() -> None:
    with pytest.raises(ListError, match="is IPv6, but the list is for IPv4 only"):
        japan("1.0.16.0/20,JP\n2001:200::/32,JP\n", Family.IPV4)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("1.0.16.0/20,JP\n1.0.16.1/20,JP\n", "^Line 2: .* has host bits set"),
        ("1.0.16.0,1.0.31.255,JP\n1.0.33.0,1.0.32.0,JP\n", "^Line 2: .* ends before it begins"),
        ("16781312,16785407,JP\n9,8,JP\n", "^Line 2: .* ends before it begins"),
        ("1.0.16.0,1.0.31.255,JP\n1.0.32.0,1.0.4", "^Line 2 has 2 columns instead of at least 3"),
        ("1.0.16.0,2001::,JP\n", "^Line 1: "),
        ('1.0.16.0/20,JP\n"1.0.32.0/20,JP\n', "^Line 2 has 1 columns"),
        ("network,geoname_id\n1.0.16.0/20,1861060\n", "geoname_id instead of country codes"),
    ],
)
def test_a_wrong_row_of_a_wanted_country_is_named(table: str, why: str) -> None:
    with pytest.raises(ListError, match=why):
        cut_out(table.encode(), None, ["JP"], "csv")


@pytest.mark.parametrize(
    "body",
    ["", "<html>,</html>\n", "192.0.2.0/24\n", "a,b\nc,d\n", "1.0.16.0/20,Japan\n", "{}", "\0,\0"],
)
def test_what_is_no_such_table_is_refused(body: str) -> None:
    with pytest.raises(ListError):
        cut_out(body.encode(), None, ["JP"], "csv")
    with pytest.raises(ListError, match="no database of all countries"):
        cut_out(body.encode(), None, ["JP"])


UNMAPPED = prefixes(Family.IPV6, 3).filter(lambda each: each.network >> 32 != 0xFFFF)
"""IPv6 that is not IPv4 in another form, which is moved."""
ROWS = st.lists(
    st.tuples(prefixes(Family.IPV4) | UNMAPPED, st.sampled_from(("JP", "US", "-"))), max_size=20
)


@given(ROWS, st.booleans())
def test_networks_and_ranges_are_the_same_addresses(
    rows: list[tuple[object, str]], quoting: bool
) -> None:
    quote = '"' if quoting else ""

    def line(*cells: object) -> str:
        return ",".join(f"{quote}{cell}{quote}" for cell in cells) + "\n"

    wanted = space("198.51.100.0/24", *(str(prefix) for prefix, code in rows if code == "JP"))
    start = [(ip_network("198.51.100.0/24"), "JP")]
    found = [*start, *((ip_network(str(prefix)), code) for prefix, code in rows)]
    as_networks = "".join(line(network, code) for network, code in found)
    as_ranges = "".join(line(each[0], each[-1], code) for each, code in found)
    assert japan(as_networks) == japan(as_ranges) == wanted


@given(st.binary(max_size=300) | st.text(alphabet='0123456789abf.:,/"-\nJP#').map(str.encode))
def test_any_bytes_give_lists_or_an_error(body: bytes) -> None:
    for given_name in (None, "csv"):
        try:
            _, lists = cut_out(body, None, ["JP", "FB"], given_name)
        except ListError:
            continue
        assert all(part.startswith(b"# Country: ") for part in lists.values())
