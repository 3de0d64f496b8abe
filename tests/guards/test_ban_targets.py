"""Which addresses may be banned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.guards.ban_targets import BROADEST, BanRefusal, Protected
from geofence.model.prefixes import Family, Prefix
from tests.support.values import prefix, space

PROTECTED = Protected(
    own=space("198.51.100.10/32", "2001:db8:100::10/128"),
    local=space("192.168.7.0/24", "fd00:99::/64"),
    exceptions=space("203.0.113.0/25", "2001:db8:7::/48"),
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.0.0.0/32", BanRefusal.UNSPECIFIED),
        ("0.0.0.101/32", BanRefusal.UNSPECIFIED),
        ("::/128", BanRefusal.UNSPECIFIED),
        ("0.0.0.0/0", BanRefusal.UNSPECIFIED),
        ("::/0", BanRefusal.UNSPECIFIED),
        ("127.0.0.1/32", BanRefusal.LOOPBACK),
        ("127.255.255.255/32", BanRefusal.LOOPBACK),
        ("126.0.0.0/7", BanRefusal.LOOPBACK),
        ("::1/128", BanRefusal.LOOPBACK),
        ("198.51.100.10/32", BanRefusal.OWN),
        ("198.51.100.0/24", BanRefusal.OWN),
        ("2001:db8:100::/64", BanRefusal.OWN),
        ("224.0.0.1/32", BanRefusal.NO_SOURCE),
        ("255.255.255.255/32", BanRefusal.NO_SOURCE),
        ("ff02::1/128", BanRefusal.NO_SOURCE),
        ("192.168.7.0/24", BanRefusal.LOCAL),
        ("192.168.7.7/32", BanRefusal.LOCAL),
        ("fd00:99::7/128", BanRefusal.LOCAL),
        ("203.0.113.0/25", BanRefusal.EXCEPTION),
        ("203.0.113.127/32", BanRefusal.EXCEPTION),
        ("2001:db8:7:1::/64", BanRefusal.EXCEPTION),
        ("64.0.0.0/7", BanRefusal.TOO_BROAD),
        ("2400::/15", BanRefusal.TOO_BROAD),
        ("64.0.0.0/8", None),
        ("2400::/16", None),
        ("203.0.113.128/32", None),
        ("203.0.113.0/24", None),
        ("192.168.0.0/16", None),
        ("10.0.0.1/32", None),
        ("133.9.9.9/32", None),
        ("2001:db8:8::1/128", None),
    ],
)
def test_what_must_not_be_blocked_is_refused_with_its_reason(
    text: str, why: BanRefusal | None
) -> None:
    assert PROTECTED.refusal(prefix(text)) is why


def test_of_a_broader_prefix_the_protected_part_stays_allowed() -> None:
    assert PROTECTED.spared(prefix("203.0.113.0/24")) == space("203.0.113.0/25")
    assert PROTECTED.spared(prefix("192.168.0.0/16")) == space("192.168.7.0/24")
    assert not PROTECTED.spared(prefix("203.0.113.128/25"))
    assert not PROTECTED.spared(prefix("133.0.0.0/8"))


@given(st.sampled_from(Family), st.data())
def test_a_single_address_is_judged_as_the_prefix_of_its_length(
    family: Family, data: st.DataObject
) -> None:
    near = [
        each.network + step
        for each in map(
            prefix,
            ("203.0.113.0/25", "2001:db8:7::/48", "198.51.100.10/32", "::1/128", "0.0.0.0/8"),
        )
        if each.family is family
        for step in (-1, 0, 1)
        if each.network + step >= 0
    ]
    address = data.draw(st.sampled_from(near) | st.integers(0, (1 << family.bits) - 1))
    single = Prefix(family, address, family.bits)
    both = Prefix(family, address & ~1, family.bits - 1)
    neighbour = Prefix(family, address ^ 1, family.bits)
    refused = PROTECTED.refusal(single), PROTECTED.refusal(neighbour)
    if PROTECTED.refusal(both) is None:
        never = {BanRefusal.UNSPECIFIED, BanRefusal.LOOPBACK, BanRefusal.OWN, BanRefusal.NO_SOURCE}
        assert not never & set(refused)
        assert None in refused
    elif None in refused:
        assert PROTECTED.refusal(both) not in (BanRefusal.LOCAL, BanRefusal.EXCEPTION)
    assert BROADEST[family] < family.bits
