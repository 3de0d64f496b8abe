"""Sources that were turned away: joined, grouped, described and pruned."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from geofence.denied.pruning import is_crowded, strays, superfluous
from geofence.denied.sources import (
    DeniedSource,
    Group,
    Knowledge,
    Sources,
    described,
    distinct,
    foremost,
    grouped,
    index_of,
    joined,
    labels,
    network_labels,
    timed,
)
from geofence.model.elements import Noted
from geofence.model.prefixes import Family
from geofence.model.sets import MOST_NOTED, NOTED_SECONDS
from tests.support.values import space

NOW = 1_800_000_000.0


def number(text: str) -> int:
    return int(ip_address(text))


def sources(*rows: tuple[str, int, float, float], service: str = "sip") -> Sources:
    """Sources: address, packets, and how many seconds ago it came first and last."""
    found = sorted((number(text), packets, first, last) for text, packets, first, last in rows)
    family = Family.IPV6 if rows and ":" in rows[0][0] else Family.IPV4
    return Sources(
        service,
        family,
        [row[0] for row in found],
        [row[1] for row in found],
        [row[1] * 100 for row in found],
        [NOW - row[2] for row in found],
        [NOW - row[3] for row in found],
    )


def test_the_time_that_an_element_has_left_tells_when_it_came() -> None:
    week = float(NOTED_SECONDS)
    denied = Noted([9, 3], [week - 60, week - 30], [4, 1], [400, 100])
    seen = Noted([3, 9], [week - 30, week - 5], [0, 0], [0, 0])
    found = joined("sip", Family.IPV4, denied, seen, NOW)
    assert found == Sources(
        "sip", Family.IPV4, (3, 9), (1, 4), (100, 400), [NOW - 30, NOW - 60], [NOW - 30, NOW - 5]
    )


def test_a_source_without_a_last_time_came_last_when_it_came_first() -> None:
    denied = Noted([9], [NOTED_SECONDS - 60.0], [4], [400])
    found = joined("sip", Family.IPV4, denied, Noted(), NOW)
    assert (found.first, found.last) == ([NOW - 60], [NOW - 60])


def test_only_sources_that_came_lately_are_left() -> None:
    all_of_them = sources(("192.0.2.1", 9, 7000, 7000), ("192.0.2.2", 1, 9000, 60))
    assert list(all_of_them.since(NOW - 3600).networks) == [number("192.0.2.2")]


def test_a_source_counts_once_in_a_group_whatever_services_it_tried() -> None:
    sip = sources(("192.0.2.1", 3, 9, 9), ("192.0.2.2", 1, 9, 9))
    rtp = sources(("192.0.2.1", 5, 9, 9), service="rtp")
    ipv6 = sources(("2001:db8::", 1, 9, 9))
    found = grouped([(sip, ["DE", None]), (rtp, ["DE"]), (ipv6, ["DE"])])
    assert found == [Group("DE", 2, 9), Group(None, 1, 1)]
    assert distinct([sip, rtp, ipv6]) == 3


@given(st.dictionaries(st.integers(0, 50), st.tuples(st.integers(1, 9), st.sampled_from("ABC"))))
def test_groups_add_up(found: dict[int, tuple[int, str]]) -> None:
    part = sources(*((str(ip_address(n)), packets, 0, 0) for n, (packets, _) in found.items()))
    names = [found[n][1] for n in part.networks]
    groups = grouped([(part, names)])
    assert {each.name: each.sources for each in groups} == dict(Counter(names))
    assert sum(each.packets for each in groups) == sum(packets for packets, _ in found.values())
    assert groups == sorted(groups, key=lambda each: -each.packets) or len(groups) > 1
    assert [each.packets for each in groups] == sorted(
        (each.packets for each in groups), reverse=True
    )


def test_sources_are_described_by_packets_then_by_how_lately_they_came() -> None:
    sip = sources(("192.0.2.1", 3, 99, 50), ("192.0.2.2", 3, 99, 10), ("192.0.2.3", 9, 99, 99))
    rtp = sources(("192.0.2.4", 5, 99, 99), service="rtp")
    found = described([sip, rtp], Knowledge())
    assert [str(each) for each in found] == ["192.0.2.3", "192.0.2.4", "192.0.2.2", "192.0.2.1"]
    assert described([sip, rtp], Knowledge(), 2) == found[:2]


def test_a_source_is_described_by_its_lists_and_the_exception_that_would_allow_it() -> None:
    pushed = index_of({"push-as": space("192.0.2.7/32", "2001:db8::77/128")})
    assert pushed
    known = Knowledge(
        index_of({"DE": space("192.0.2.0/24", "2001:db8::/32")}),
        index_of({"drop": space("192.0.2.0/28")}),
        {"sip": pushed},
    )
    assert described([sources(("192.0.2.7", 2, 60, 5))], known) == [
        DeniedSource(
            Family.IPV4,
            number("192.0.2.7"),
            "sip",
            2,
            200,
            datetime.fromtimestamp(NOW - 60, UTC),
            datetime.fromtimestamp(NOW - 5, UTC),
            "DE",
            "drop",
            "push-as",
        )
    ]
    (ipv6,) = described([sources(("2001:db8::", 2, 60, 5))], known)
    assert (str(ipv6), ipv6.exception) == ("2001:db8::/64", "push-as")
    (other,) = described([sources(("192.0.2.7", 2, 60, 5), service="rtp")], known)
    assert other.exception is None


def test_a_network_that_no_list_names_is_known_by_its_address() -> None:
    index = index_of({"drop": space("192.0.2.0/28")})
    part = sources(("192.0.2.7", 1, 0, 0), ("192.0.2.77", 1, 0, 0))
    assert network_labels(part, index) == ["drop", "192.0.2.0/24"]
    assert network_labels(sources(("2001:db8:1:2::", 1, 0, 0)), None) == ["2001:db8:1::/48"]
    assert labels(part, None) == [None, None]


def test_a_set_is_pruned_only_when_it_is_crowded() -> None:
    noted = Noted(range(6), [1.0] * 6, [1] * 6, [1] * 6)
    assert not is_crowded(noted, 8)
    assert superfluous(noted, Noted(), 8) == []
    assert strays(Noted(), noted, 8) == []
    assert is_crowded(Noted(range(7), [1.0] * 7, [1] * 7, [1] * 7), 8)


def test_those_that_came_once_and_long_ago_are_forgotten() -> None:
    """Of eight places seven are taken, and four are left."""
    packets = [1, 1, 1, 1, 50, 2, 1]
    denied = Noted(range(7), [100.0] * 7, packets, packets)
    seen = Noted(range(7), [10.0, 20.0, 30.0, 40.0, 5.0, 6.0, 50.0], [0] * 7, [0] * 7)
    assert superfluous(denied, seen, 8) == [0, 1, 2]


def test_of_several_sets_only_the_crowded_ones_are_pruned() -> None:
    """The second of two sets is full, with four of the eight places of both."""
    columns = ([1.0] * 6, [3, 1, 5, 2, 4, 1], [9] * 6)
    denied = Noted(range(6), *columns, parts=(2, 4))
    assert is_crowded(denied, 8)
    assert not is_crowded(denied._replace(parts=(3, 3)), 8)
    assert superfluous(denied, Noted(), 8) == [5, 3]
    assert strays(Noted(), denied, 8) == [2, 3, 4, 5]


def test_sources_are_full_when_one_of_the_sets_is() -> None:
    room = MOST_NOTED // 2
    columns = ([1.0] * (room + 1), [1] * (room + 1), [9] * (room + 1))
    for parts, is_full in (((), False), ((1, room), True), ((2, room - 1), False)):
        denied = Noted(range(room + 1), *columns, parts)
        assert joined("sip", Family.IPV4, denied, None, NOW).is_full == is_full


def test_times_without_a_source_are_forgotten() -> None:
    denied = Noted([1, 2], [1.0] * 2, [1] * 2, [1] * 2)
    seen = Noted(range(7), [1.0] * 7, [0] * 7, [0] * 7)
    assert strays(denied, seen, 8) == [0, 3, 4, 5, 6]


@given(
    st.dictionaries(st.integers(0, 999), st.tuples(st.integers(1, 5), st.integers(1, 99))),
    st.integers(2, 40),
)
def test_who_is_kept_sent_no_less_than_who_is_forgotten(
    found: dict[int, tuple[int, int]], most: int
) -> None:
    networks = list(found)
    packets = [each[0] for each in found.values()]
    denied = Noted(networks, [9.0] * len(found), packets, packets)
    seen = Noted(networks, [each[1] for each in found.values()], [0] * len(found), [0] * len(found))
    gone = superfluous(denied, seen, most)
    kept = set(networks) - set(gone)
    if gone:
        assert len(kept) == most // 2
        assert max(found[each] for each in gone) <= min(found[each] for each in kept)
    else:
        assert 4 * len(found) <= 3 * most


@given(
    st.lists(
        st.dictionaries(st.integers(0, 40), st.tuples(st.integers(1, 4), st.integers(0, 9))),
        max_size=3,
    ),
    st.integers(0, 20),
)
def test_the_foremost_are_all_that_a_limit_needs(
    found: list[dict[int, tuple[int, int]]], limit: int
) -> None:
    week = float(NOTED_SECONDS)
    parts, noted = [], []
    for service, held in zip("ABC", found, strict=False):
        columns = ([count for count, _ in held.values()], [0] * len(held))
        denied = Noted(list(held), [week - 60] * len(held), *columns)
        seen = Noted(list(held), [week - age for _, age in held.values()], *columns)
        parts.append(joined(service, Family.IPV4, denied, None, NOW))
        noted.append((denied, seen))

    def with_times(some: list[Sources]) -> list[Sources]:
        pairs = zip(some, noted, strict=True)
        return [timed(part, denied, seen, NOW) for part, (denied, seen) in pairs]

    whole = described(with_times(parts), Knowledge())
    assert described(with_times(foremost(parts, limit)), Knowledge(), limit) == (
        whole[:limit] if limit else whole
    )
