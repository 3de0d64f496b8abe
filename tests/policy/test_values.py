"""Properties of single values: what is right is read as it is, what is guessed is right."""

from __future__ import annotations

from datetime import time, timedelta

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family, Prefix
from geofence.policy.addresses import host_name, prefix
from geofence.policy.mistakes import Mistake
from geofence.policy.quantities import age, jitter, ports, probation, time_of_day


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
