"""Properties of single values: what is right is read as it is, what is guessed is right."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family, Prefix
from geofence.policy.addresses import host_name, prefix
from geofence.policy.mistakes import Mistake
from geofence.policy.quantities import (
    age,
    end,
    jitter,
    ports,
    probation,
    stay,
    time_of_day,
)


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    family = draw(st.sampled_from(Family))
    length = draw(st.integers(0, family.bits))
    host = family.bits - length
    return Prefix(family, draw(st.integers(0, (1 << length) - 1)) << host, length)


@given(prefixes())
def test_a_prefix_is_read_as_it_is_written(wanted: Prefix) -> None:
    mapped = wanted.family is Family.IPV6 and wanted.network >> 32 == 0xFFFF
    if mapped and wanted.length >= 96:
        with pytest.raises(Mistake, match="is IPv4 written as IPv6"):
            prefix(str(wanted))
    else:
        assert prefix(str(wanted)) == wanted


@given(prefixes(), st.data())
def test_host_bits_are_refused_with_the_two_prefixes_that_can_be_meant(
    wanted: Prefix, data: st.DataObject
) -> None:
    host = wanted.family.bits - wanted.length
    address = wanted.network | data.draw(st.integers(0, (1 << host) - 1))
    text = str(Prefix(wanted.family, address, wanted.length))
    if address == wanted.network:
        return
    with pytest.raises(Mistake, match="has host bits") as caught:
        prefix(text)
    network, single = caught.value.guesses
    assert prefix(network) == wanted
    assert prefix(single) == Prefix(wanted.family, address, wanted.family.bits)


@given(st.from_regex(r"[0-9a-f.:/-]{1,30}", fullmatch=True) | st.text(max_size=30))
def test_accepted_prefixes_are_valid_for_netaddr(text: str) -> None:
    try:
        found = prefix(text)
    except Mistake as mistake:
        assert all(prefix(guess) for guess in mistake.guesses)  # noqa: PT017 - either is right
    else:
        network = netaddr.IPNetwork(text)
        assert (network.version, network.first, network.prefixlen) == (
            4 if found.family is Family.IPV4 else 6,
            found.network,
            found.length,
        )


@given(
    st.builds(
        lambda protocol, ends: Ports(protocol, min(ends), max(ends)),
        st.sampled_from(Protocol),
        st.tuples(st.integers(1, 65535), st.integers(1, 65535)),
    )
)
def test_ports_are_read_as_they_are_written(wanted: Ports) -> None:
    assert ports(str(wanted)) == wanted


@given(st.text(alphabet="0123456789udptc/:-. ", max_size=16))
def test_suggested_ports_are_valid(text: str) -> None:
    try:
        ports(text)
    except Mistake as mistake:
        assert all(ports(guess.strip('"')) for guess in mistake.guesses)  # noqa: PT017
    else:
        assert ports(text).last < 1 << 16


@given(st.times())
def test_times_of_day(wanted: time) -> None:
    minute = wanted.replace(second=0, microsecond=0)
    assert time_of_day(f"{minute:%H:%M}") == minute


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1h", timedelta(hours=1)),
        ("90m", timedelta(minutes=90)),
        ("3600s", timedelta(hours=1)),
        ("7d", timedelta(days=7)),
        ("52w", timedelta(weeks=52)),
        ("366d", timedelta(days=366)),
    ],
)
def test_ages(text: str, span: timedelta) -> None:
    assert age(text) == span


@pytest.mark.parametrize("text", ["59m", "367d", "999999w", "", "1", "h", "-1h", "1.5h", "1H"])
def test_invalid_ages_are_refused(text: str) -> None:
    with pytest.raises(Mistake):
        age(text)


@pytest.mark.parametrize(("text", "right"), [("4s", 0), ("5s", 1), ("24h", 1), ("25h", 0)])
def test_how_long_to_wait_for_a_confirmation(text: str, *, right: int) -> None:
    try:
        probation(text)
    except Mistake:
        assert not right
    else:
        assert right


def test_no_jitter_is_a_jitter() -> None:
    assert jitter("0s") == timedelta(0)


@given(st.text(alphabet="ab-_.:/@1", max_size=20))
def test_suggested_host_names_are_valid(text: str) -> None:
    try:
        name = host_name(text)
    except Mistake as mistake:
        assert all(host_name(guess.strip('"')) for guess in mistake.guesses)  # noqa: PT017
    else:
        assert host_name(name) == name


def test_the_longest_host_name() -> None:
    name = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert host_name(name) == name
    with pytest.raises(Mistake):
        host_name(f"{name}b")
    with pytest.raises(Mistake):
        host_name(f"{'a' * 64}.example")


NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-27T18:00Z", datetime(2026, 11, 27, 18, tzinfo=UTC)),
        ("2026-11-27 18:00+09:00", datetime(2026, 11, 27, 9, tzinfo=UTC)),
        ("2026-11-26T12:00:01Z", datetime(2026, 11, 26, 12, 0, 1, tzinfo=UTC)),
    ],
)
def test_an_end_is_read_as_utc(text: str, wanted: datetime) -> None:
    assert end(text, NOON) == wanted


@given(st.datetimes(datetime(2026, 11, 26, 12, 1), datetime(2036, 1, 1)), st.integers(-12, 14))  # noqa: DTZ001 - a zone is written behind it
def test_an_end_with_an_offset_is_that_moment(wanted: datetime, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    there = wanted.replace(tzinfo=UTC).astimezone(zone)
    assert end(there.isoformat(), NOON) == there


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-11-26T12:00Z", "is over"),
        ("1999-01-01 00:00", "is over"),
        ("2037-01-01 00:00", "is too far away"),
        ("2026-11-27", "is not a point in time"),
        ("24:00", "is not a point in time"),
        ("2026-13-01 00:00", "is not a point in time"),
        ("tomorrow", "is not a point in time"),
        ("0001-01-01T00:00+14:00", "is over"),
        ("9999-12-31T23:59-14:00", "is too far away"),
    ],
)
def test_what_is_no_end(text: str, message: str) -> None:
    with pytest.raises(Mistake, match=message):
        end(text, NOON)


@given(st.text() | st.text(alphabet="0123456789-:T+Z "))
def test_any_text_is_an_end_in_the_future_or_refused(text: str) -> None:
    try:
        assert NOON < end(text, NOON) <= NOON + timedelta(days=3660)
    except Mistake as mistake:
        assert mistake.expected  # noqa: PT017 - either is right


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("8h", 28_800), ("3660d", 316_224_000)])
def test_how_long_something_is_allowed(text: str, seconds: int) -> None:
    assert stay(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["0s", "3661d", "8", "8 h", "1.5h", "-1h", ""])
def test_what_is_no_time_to_be_allowed(text: str) -> None:
    with pytest.raises(Mistake):
        stay(text)
