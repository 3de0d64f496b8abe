from __future__ import annotations

import json

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ListError
from geofence.lists.country_json import parse_country_json
from geofence.lists.parsed import FamilyFacts
from geofence.model.prefixes import AddressSpace, Family, Prefix
from tests.lists.bodies import country_json, prefixes

IPV4 = ["192.0.2.0/24", "198.51.100.0/24"]
IPV6 = ["2001:db8::/32"]


def texts(space: AddressSpace) -> list[str]:
    return [str(prefix) for family in Family for prefix in space[family].prefixes()]


@pytest.mark.parametrize("former_keys", [False, True])
def test_both_generations_of_keys_give_both_families(former_keys: bool) -> None:
    body = country_json("JP", IPV4, IPV6, former_keys=former_keys)
    assert texts(parse_country_json(body, "JP").space) == IPV4 + IPV6


def test_a_country_may_have_no_ipv6() -> None:
    parsed = parse_country_json(country_json("YT", ["192.0.2.0/24"]), "YT")
    assert texts(parsed.space) == ["192.0.2.0/24"]
    assert parsed.ipv6 == FamilyFacts()


def test_facts_count_entries_breadth_and_repetition() -> None:
    body = country_json("JP", ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "192.0.2.0/24"])
    parsed = parse_country_json(body, "JP")
    repeated = (1 << 16) + (1 << 8)
    assert parsed.ipv4 == FamilyFacts(4, 8, (1 << 24) + (1 << 8) + repeated)
    assert parsed.repeated(Family.IPV4) == repeated


def test_another_country_is_refused_by_name() -> None:
    with pytest.raises(ListError, match="is that of US, not of JP"):
        parse_country_json(country_json("US", IPV4), "JP")


def test_no_prefix_in_either_family_is_refused() -> None:
    with pytest.raises(ListError, match="contains no prefix"):
        parse_country_json(country_json("JP", []), "JP")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("192.0.2.1/24", r"host bits set \(the prefix would be 192\.0\.2\.0/24\)"),
        ("192.0.2.0", "has no prefix length"),
        ("192.0.2.0/", "no prefix length from 0 to 32"),
        ("192.0.2.0/33", "no prefix length from 0 to 32"),
        ("192.0.2.0/024", "no prefix length from 0 to 32"),
        ("192.0.2.0/+24", "no prefix length from 0 to 32"),
        ("192.0.2.0/٢٤", "no prefix length from 0 to 32"),
        ("192.0.02.0/24", "is not an IPv4 prefix"),
        ("192.0.2/24", "is not an IPv4 prefix"),
        (" 192.0.2.0/24", "is not an IPv4 prefix"),
        ("192.0.2.0/24\n", "no prefix length from 0 to 32"),
        ("192.0.2.0/24 198.51.100.0/24", "no prefix length from 0 to 32"),
        ("192.0.2.0\0/24", "is not an IPv4 prefix"),
        ("2001:db8::/32", "is IPv6, but the list is for IPv4 only"),
        ("\ud800", "is not an IPv4 prefix"),
        ("", "is not an IPv4 prefix"),
    ],
)
def test_the_first_wrong_entry_is_named_with_its_place(entry: str, why: str) -> None:
    body = country_json("JP", ["198.51.100.0/24", entry, "nonsense"])
    with pytest.raises(ListError, match=rf'^Entry 2 of "prefixes\.ipv4": .*{why}'):
        parse_country_json(body, "JP")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("2001:DB8::/32", r"not in the usual form \(2001:db8::/32\)"),
        ("2001:db8:0::/32", "not in the usual form"),
        ("2001:db8::1/32", "host bits set"),
        ("2001:db8::/129", "no prefix length from 0 to 128"),
        ("fe80::1%lo/128", "is not an IPv6 prefix"),
        ("192.0.2.0/24", "is IPv4, but the list is for IPv6 only"),
    ],
)
def test_ipv6_entries_are_held_to_the_same(entry: str, why: str) -> None:
    with pytest.raises(ListError, match=rf'^Entry 1 of "prefixes\.ipv6": .*{why}'):
        parse_country_json(country_json("JP", IPV4, [entry]), "JP")


@pytest.mark.parametrize(
    "entries",
    [
        ["192.0.2.0/24/198.51.100.0", "24"],
        ["192.0.2.0/24 198.51.100.0", "/24"],
        ["192.0.2.0", "/24 198.51.100.0/24"],
        ["192.0.2.0 ", "24"],
        ["192.0.2.0/24\n/198.51.100.0/24"],
        ["192.0.2.0/24\n/198.51.100.0", "24"],
        ["192.0.2.0", "24\n/198.51.100.0/24"],
    ],
)
def test_entries_that_only_make_sense_together_are_refused(entries: list[str]) -> None:
    with pytest.raises(ListError, match=r"^Entry 1 of"):
        parse_country_json(country_json("JP", entries), "JP")


@pytest.mark.parametrize("entry", [None, 5, 1.5, True, ["192.0.2.0/24"], {"a": 1}])
def test_an_entry_that_is_not_a_string_is_named(entry: object) -> None:
    document = {"countryCode": "JP", "prefixes": {"ipv4": ["192.0.2.0/24", entry], "ipv6": []}}
    with pytest.raises(ListError, match=r'Entry 2 of "prefixes\.ipv4" is not a string'):
        parse_country_json(json.dumps(document).encode(), "JP")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "not an object"),
        ({}, 'without the key "countryCode"'),
        ({"countryCode": "JP"}, 'without the key "prefixes"'),
        ({"countryCode": "JP", "prefixes": []}, '"prefixes" is not an object'),
        ({"countryCode": "JP", "prefixes": {}}, '"prefixes.ipv4" is not an array'),
        ({"countryCode": "JP", "prefixes": {"ipv4": IPV4}}, '"prefixes.ipv6" is not an array'),
        ({"countryCode": ["JP"], "prefixes": {"ipv4": IPV4, "ipv6": []}}, "not of JP"),
    ],
)
def test_json_of_another_shape_is_refused(document: object, why: str) -> None:
    with pytest.raises(ListError, match=why):
        parse_country_json(json.dumps(document).encode(), "JP")


def test_every_cut_of_a_json_is_refused() -> None:
    body = country_json("JP", IPV4, IPV6)
    for length in range(len(body)):
        with pytest.raises(ListError):
            parse_country_json(body[:length], "JP")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\n<!DOCTYPE html><html>", "an HTML page instead of a list"),
        (b"\x1f\x8b\x08\x00", "binary data instead of a list"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"countryCode": ' + b"9" * 5_000 + b"}", "not readable JSON"),
        (b'{"countryCode": "\xff"}', "not readable JSON"),
        (b'{"countryCode": "JP", "prefixes"', "cut short"),
    ],
)
def test_invalid_json_is_reported(body: bytes, why: str) -> None:
    with pytest.raises(ListError, match=why):
        parse_country_json(body, "JP")


def test_control_characters_do_not_reach_the_message() -> None:
    with pytest.raises(ListError) as refused:
        parse_country_json(country_json("JP", ["\x1b[2J" + "x" * 5_000]), "JP")
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 200


@given(st.lists(prefixes(Family.IPV4), min_size=1), st.lists(prefixes(Family.IPV6)))
def test_written_prefixes_are_read_back(ipv4: list[Prefix], ipv6: list[Prefix]) -> None:
    body = country_json("JP", [str(prefix) for prefix in ipv4], [str(prefix) for prefix in ipv6])
    parsed = parse_country_json(body, "JP")
    assert parsed.space == AddressSpace.of([*ipv4, *ipv6])
    assert (parsed.ipv4.entries, parsed.ipv6.entries) == (len(ipv4), len(ipv6))
    assert parsed.ipv4.broadest == min(prefix.length for prefix in ipv4)


@given(st.lists(prefixes(Family.IPV4), min_size=1, max_size=8))
def test_netaddr_reads_the_same(ipv4: list[Prefix]) -> None:
    entries = [str(prefix) for prefix in ipv4]
    parsed = parse_country_json(country_json("JP", entries), "JP")
    known = netaddr.IPSet(entries)
    assert texts(parsed.space) == [str(network) for network in known.iter_cidrs()]
    written = sum(netaddr.IPNetwork(entry).size for entry in entries)
    assert parsed.repeated(Family.IPV4) == written - known.size


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.binary())
def test_any_bytes_give_a_list_or_a_list_error(body: bytes) -> None:
    with pytest.raises(ListError):
        parse_country_json(body, "JP")


@given(JSON_VALUES | st.lists(JSON_VALUES), JSON_VALUES | st.lists(st.text()))
def test_any_json_gives_a_list_or_a_list_error(ipv4: object, ipv6: object) -> None:
    document = {"countryCode": "JP", "prefixes": {"ipv4": ipv4, "ipv6": ipv6}}
    with pytest.raises(ListError):
        parse_country_json(json.dumps(document).encode(), "JP")


NEARLY = st.text(alphabet="0129./ :af-", max_size=18)


@given(st.lists(NEARLY, min_size=1, max_size=3))
def test_an_entry_is_taken_exactly_if_netaddr_prints_it_so(entries: list[str]) -> None:
    right = all(_is_canonical_ipv4(entry) for entry in entries)
    try:
        parse_country_json(country_json("JP", entries), "JP")
    except ListError:
        assert not right
    else:
        assert right


def _is_canonical_ipv4(entry: str) -> bool:
    try:
        network = netaddr.IPNetwork(entry, version=4)
    except (netaddr.AddrFormatError, ValueError):
        return False
    return str(network.cidr) == entry
