"""Lists of AS numbers, as JSON and as text, held to the number that was asked for."""

from __future__ import annotations

import json

import pytest

from geofence.errors import ListError
from geofence.lists.formats import format_names, format_of, parse_part
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from tests.lists.bodies import asn_json, asn_text
from tests.support.values import space

OCN = ListId(ListKind.ASN, "4713")
BOTH = space("192.0.2.0/24", "2001:db8::/32")


@pytest.mark.parametrize("former_keys", [False, True])
def test_both_generations_of_keys(*, former_keys: bool) -> None:
    body = asn_json(4713, ["192.0.2.0/24"], ["2001:db8::/32"], former_keys=former_keys)
    assert parse_part(OCN, None, body).space == BOTH
    assert format_of(OCN.kind, body).name == "json"


def test_text_with_and_without_its_header() -> None:
    body = asn_text(4713, ["192.0.2.0/24"])
    assert parse_part(OCN, Family.IPV4, body).space == space("192.0.2.0/24")
    bare = b"192.0.2.0/24\n2001:db8::/32\n"
    assert parse_part(OCN, None, bare).space == BOTH


def test_a_network_may_have_one_family_only() -> None:
    assert parse_part(OCN, None, asn_json(4713, [], ["2001:db8::/32"])).space.ipv6


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (asn_json(47130, ["192.0.2.0/24"]), "is that of AS47130, not of AS4713"),
        (asn_text(471, ["192.0.2.0/24"]), "is that of AS471, not of AS4713"),
        (b"# AS471 (X)\n# Y\n192.0.2.0/24 # more\n", "is that of AS471, not of AS4713"),
        (asn_json(4713, []), "contains no prefix"),
        (asn_text(4713, []), "contains no prefix"),
        (asn_json(4713, ["192.0.2.1/24"]), "host bits"),
        (asn_text(4713, ["192.0.2.1/24"]), "host bits"),
        (b'{"prefixes": {"ipv4": [], "ipv6": []}}', 'JSON without the key "asn"'),
        (json.dumps({"asn": True, "prefixes": {}}).encode(), "not of AS4713"),
        (json.dumps({"asn": "4713"}).encode(), 'without the key "prefixes"'),
    ],
)
def test_what_is_not_the_list_of_the_network_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ListError, match=why):
        parse_part(OCN, None, body)


def test_their_formats() -> None:
    assert format_names(ListKind.ASN) == ("json", "text")
