from __future__ import annotations

import pytest

from geofence.errors import ListError
from geofence.lists.formats import parse_parts
from geofence.lists.parsed import FamilyFacts
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from tests.lists.bodies import country_json, country_text

JP = ListId(ListKind.COUNTRY, "JP")


def test_a_country_as_json_and_as_text_is_the_same_list() -> None:
    as_json = [(None, country_json("JP", ["192.0.2.0/24"], ["2001:db8::/32"]))]
    as_text = [
        (Family.IPV4, country_text("JP", Family.IPV4, ["192.0.2.0/24"])),
        (Family.IPV6, country_text("JP", Family.IPV6, ["2001:db8::/32"])),
    ]
    assert parse_parts(JP, as_json) == parse_parts(JP, as_text)


def test_parts_that_repeat_each_other_are_counted_once() -> None:
    part = (Family.IPV4, b"192.0.2.0/24")
    parsed = parse_parts(JP, [part, part])
    assert parsed.space.ipv4.size == 256
    assert parsed.ipv4 == FamilyFacts(2, 24, 512)
    assert parsed.repeated(Family.IPV4) == 256


def test_a_country_text_is_held_to_its_header() -> None:
    with pytest.raises(ListError, match="says it is US, not JP"):
        parse_parts(JP, [(Family.IPV4, country_text("US", Family.IPV4, ["192.0.2.0/24"]))])


def test_other_lists_are_text_of_either_family() -> None:
    blocklist = ListId(ListKind.BLOCKLIST, "drop")
    parsed = parse_parts(blocklist, [(None, b"192.0.2.0/24 ; a\n2001:db8::/32 ; b\n")])
    assert (parsed.ipv4.entries, parsed.ipv6.entries) == (1, 1)
