"""Pages of APIBAN, its refusals, and what geofence stores of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.lists.apiban import Refusal, Reported, read, read_page, read_refusal, written
from geofence.lists.formats import parse_part
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family, address_text
from tests.support.values import space

APIBAN = ListId(ListKind.BLOCKLIST, "apiban")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


def page(addresses: object, cursor: object) -> bytes:
    return json.dumps({"ipaddress": addresses, "ID": cursor}).encode()


ADDRESSES = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda n: address_text(Family.IPV4, n)),
    st.integers(2**40, 2**128 - 1).map(lambda n: address_text(Family.IPV6, n)),
)


@given(st.lists(ADDRESSES), st.integers(0, 10**19).map(str))
def test_a_page_gives_its_addresses_and_the_next_page(addresses: list[str], cursor: str) -> None:
    found = read_page(page(addresses, cursor))
    assert (found.addresses, found.cursor, found.skipped) == (tuple(addresses), cursor, ())


def test_none_is_the_end() -> None:
    assert read_page(page(["no new bans"], "none")).cursor == ""


def test_a_few_invalid_addresses_are_skipped() -> None:
    good = [f"192.0.2.{number}" for number in range(20)]
    found = read_page(page([*good, "192.0.2.300", None, " 198.51.100.0 /24\n"], "101"))
    assert found.addresses == (*good, "198.51.100.0/24")
    assert [each.number for each in found.skipped] == [21, 22]
    with pytest.raises(ListError, match="not an IPv4 prefix"):
        read_page(page(["a", "b", "192.0.2.7"], "101"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        page("192.0.2.7", "101"),
        page(["192.0.2.7"], 101),
        page(["192.0.2.7"], ""),
        page(["192.0.2.7"], "../check"),
        page(["192.0.2.7"], "1\n"),
        page(["192.0.2.7"], "9" * 21),
    ],
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(ListError, match="something else than a page"):
        read_page(body)


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (400, page(["no new bans"], "none"), Refusal.END),
        (400, b"", Refusal.END),
        (400, b"no more", Refusal.END),
        (404, page(["no new bans"], "none"), Refusal.END),
        (400, page(["unauthorized"], "unauthorized"), Refusal.KEY),
        (403, page("unauthorized", "unauthorized"), Refusal.KEY),
        (400, page("rate limit exceeded", "none"), Refusal.RATE),
        (400, b"<html>Bad Request</html>", Refusal.OTHER),
        (404, b"", Refusal.OTHER),
    ],
)
def test_one_status_means_several_things(status: int, body: bytes, meaning: Refusal) -> None:
    assert read_refusal(status, body) is meaning


MOMENTS = st.integers(0, 10**9).map(lambda seconds: NOON + timedelta(seconds=seconds))


@given(st.dictionaries(ADDRESSES, MOMENTS), st.integers(0, 10**19).map(str))
def test_what_is_stored_comes_back(seen: dict[str, datetime], cursor: str) -> None:
    reported = Reported(cursor, seen)
    assert read(written(reported)) == reported


def test_a_stored_list_is_parsed_and_carries_itself() -> None:
    body = written(Reported("107", {"192.0.2.7": NOON, "2001:db8::7": NOON}))
    parsed = parse_part(APIBAN, None, body, "apiban")
    assert parsed.space == space("192.0.2.7/32", "2001:db8::7/128")
    assert parsed.carried == body


@given(st.binary() | st.text(alphabet="# apiban10\n.:-TZ+").map(str.encode))
def test_any_bytes_give_a_list_or_a_list_error(body: bytes) -> None:
    for some in (body, b"# apiban 100\n" + body):
        try:
            parse_part(APIBAN, None, some, "apiban")
        except ListError:
            continue
        assert some.startswith(b"# apiban ")
    read_refusal(400, body)
    try:
        read_page(body)
    except ListError:
        return
    assert b"none" in body
