"""Databases in MaxMind's format; the writer of these tests is held against the library."""

from __future__ import annotations

from io import BytesIO
from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from maxminddb import MODE_FD, open_database

from geofence.errors import ListError
from geofence.lists.formats import cut_out, format_of, parse_part
from geofence.lists.mmdb import country_of
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family
from tests.support.mmdb import country, mmdb
from tests.support.values import prefixes, space

CODES = ("JP", "US", "DE")


class InMemory(BytesIO):
    name = "a test's"


def spaces(body: bytes, *codes: str, name: str | None = None) -> dict[str, AddressSpace]:
    """The countries of a database, as they are read again once they are stored."""
    found, lists = cut_out(body, None, codes or CODES, name)
    return {
        code: parse_part(ListId(ListKind.COUNTRY, code), None, part, found).space
        for code, part in lists.items()
    }


SOME = {
    "1.0.16.0/20": country("JP"),
    "8.0.0.0/8": country("US"),
    "8.8.8.0/24": country("DE"),
    "2001:200::/32": country("JP"),
    "2a00::/16": country("DE"),
}


@pytest.mark.parametrize("size", [24, 28, 32])
@pytest.mark.parametrize("aliases", [True, False])
def test_every_size_of_record(size: int, *, aliases: bool) -> None:
    found = spaces(mmdb(SOME, size=size, aliases=aliases))
    assert found["JP"] == space("1.0.16.0/20", "2001:200::/32")
    assert found["US"] == space("8.0.0.0/8") - space("8.8.8.0/24")
    assert found["DE"] == space("8.8.8.0/24", "2a00::/16")


def test_a_database_of_ipv4_alone() -> None:
    found = spaces(mmdb({"1.0.16.0/20": country("JP"), "0.0.0.0/8": country("US")}, version=4))
    assert found == {"JP": space("1.0.16.0/20"), "US": space("0.0.0.0/8")}


@pytest.mark.parametrize("size", [28, 32])
def test_pointers_of_more_than_24_bits(size: int) -> None:
    assert spaces(mmdb(SOME, size=size, padding=17 << 20)) == spaces(mmdb(SOME))


def _overlapping(found: list[tuple[str, str]]) -> dict[str, object]:
    """Broad networks first, as the writer wants them; of two equal ones the later counts."""
    ordered = sorted(found, key=lambda each: int(each[0].partition("/")[2]))
    return {network: country(code) for network, code in ordered}


NETWORKS = st.lists(
    st.tuples(
        st.one_of(
            prefixes(Family.IPV4, 1).map(str),
            prefixes(Family.IPV6, 3)
            .filter(lambda each: each.network >> 125 == 1)
            .filter(lambda each: each.network >> 112 not in (0x2002, 0x2001))
            .map(str),
        ),
        st.sampled_from((*CODES, "FR")),
    ),
    max_size=12,
)


@given(NETWORKS, st.sampled_from((24, 28, 32)), st.booleans())
def test_it_is_read_as_the_library_reads_it(
    found: list[tuple[str, str]], size: int, aliases: bool
) -> None:
    body = mmdb(_overlapping(found), size=size, aliases=aliases)
    expected: dict[str, list[str]] = {}
    with open_database(InMemory(body), MODE_FD) as reader:
        for network, record in reader:
            assert isinstance(network, IPv4Network | IPv6Network)
            expected.setdefault(country_of(record), []).append(str(network))
    expected.pop("FR", None)
    assert spaces(body) == {code: space(*networks) for code, networks in expected.items()}


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"country": {"iso_code": "JP"}, "registered_country": {"iso_code": "US"}}, "JP"),
        ({"registered_country": {"iso_code": "US"}}, "US"),
        ({"country": {}, "registered_country": {"iso_code": "US"}}, "US"),
        ({"country": {"iso_code": "jp"}}, "JP"),
        ({"country": "Japan", "country_code": "JP"}, "JP"),
        ({"country": {"iso_code": 5}}, ""),
        ({"traits": {"is_anonymous_proxy": True}}, ""),
        ({}, ""),
        ("JP", ""),
        (None, ""),
        (["JP"], ""),
    ],
)
def test_where_a_network_is_used_counts_before_where_it_is_registered(
    record: object, code: str
) -> None:
    assert country_of(record) == code


def test_ipv4_written_as_ipv6_is_ipv4() -> None:
    body = mmdb({"::ffff:1.0.16.0/116": country("JP")}, aliases=False)
    assert spaces(body)["JP"] == space("1.0.16.0/20")


def test_copies_of_ipv4_below_6to4_and_teredo_are_left_out() -> None:
    body = mmdb({"1.0.16.0/20": country("JP"), "2002:100:1000::/36": country("JP")}, aliases=False)
    assert spaces(body)["JP"] == space("1.0.16.0/20")


def test_a_country_that_is_not_there_is_left_out() -> None:
    assert set(spaces(mmdb(SOME), "JP", "FR")) == {"JP"}


def test_each_record_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from maxminddb.reader import Reader

    asked: list[object] = []
    original = Reader.get

    def get(self: Reader, address: str) -> object:
        asked.append(address)
        return original(self, address)

    monkeypatch.setattr(Reader, "get", get)
    many = {f"5.{number}.0.0/17": country("JP") for number in range(100)}
    assert spaces(mmdb({**many, "8.0.0.0/8": country("US")}))["JP"].ipv4.size == 100 << 15
    assert len(asked) == 2


def test_the_format_is_found_out_by_its_mark() -> None:
    assert cut_out(mmdb(SOME), None, CODES)[0] == "mmdb"
    assert format_of(ListKind.COUNTRY, mmdb(SOME)).name == "text"


@pytest.mark.parametrize(
    "body", [b"", b"192.0.2.0/24\n", b"<html>", b'{"countryCode": "JP"}', mmdb(SOME)[:-200]]
)
def test_what_is_no_database_is_refused(body: bytes) -> None:
    with pytest.raises(ListError):
        cut_out(body, None, CODES, "mmdb")
    with pytest.raises(ListError, match="no database of all countries"):
        cut_out(body, None, CODES)


def test_a_tree_that_leads_to_itself_is_refused() -> None:
    body = bytearray(mmdb({"192.0.2.0/24": country("JP")}, version=4))
    body[0:6] = bytes(6)  # both records of the root are the root
    with pytest.raises(ListError, match=r"^The database is damaged\.$"):
        cut_out(bytes(body), None, CODES)


def test_a_tree_whose_nodes_are_shared_without_end_is_refused() -> None:
    """Each node twice leads to the next: 2 ** 128 ways, none of which has data."""
    levels = 128
    tree = b"".join(2 * (number + 1).to_bytes(3) for number in range(levels))
    whole = mmdb({"::/1": country("JP")}, aliases=False)
    body = tree + whole[6:]
    body = body.replace(b"node_count\xc1\x01", b"node_count\xc1\x80")
    with pytest.raises(ListError, match=r"^The database is damaged\.$"):
        cut_out(body, None, CODES)


@given(st.data())
def test_damage_anywhere_gives_lists_or_an_error(data: st.DataObject) -> None:
    body = bytearray(mmdb(SOME, size=data.draw(st.sampled_from((24, 28, 32)))))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)) | st.just(len(body)))
    try:
        _, lists = cut_out(bytes(body[:cut]), None, CODES)
        for code, part in lists.items():
            assert parse_part(ListId(ListKind.COUNTRY, code), None, part, "mmdb").space
    except ListError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either outcome is right
