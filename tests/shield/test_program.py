"""The program decides as the function in Python does, on whatever frame."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from struct import unpack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.shield import bpf
from geofence.shield.counting import (
    COUNT_SIZE,
    DROP,
    PASS,
    counter_index,
    counters,
    sampled_index,
)
from geofence.shield.decision import drops, tables_of
from geofence.shield.design import Design, ShieldedService
from geofence.shield.loading import load, new_counters
from tests.shield.frames import OWN, Frame, designs, frames
from tests.shield.kernel import side

MARK = 1 << 30
JAPAN = AddressSpace.of(
    (Prefix(Family.IPV4, 0xCB007100, 24), Prefix(Family.IPV6, 0x2001_0DB8 << 96, 32))
)
SIP = ShieldedService("sip", (Ports(Protocol.UDP, 5060, 5061), Ports(Protocol.TCP, 5060, 5060)))
RTP = ShieldedService("rtp", (Ports(Protocol.UDP, 10_000, 20_000),))
USUAL = Design((SIP, RTP), (), OWN, JAPAN)
STRANGER = {
    Family.IPV4: Frame(Family.IPV4, 0x08080808, OWN[Family.IPV4][0]),
    Family.IPV6: Frame(Family.IPV6, 0x2A00 << 112, OWN[Family.IPV6][0]),
}


@contextmanager
def loaded(made: Design, sample: int = 0) -> Iterator[tuple[int, int]]:
    """The program and its counters."""
    counts = new_counters(made)
    program = load(side(), made, tables_of(made), counts, sample=sample, mark=MARK)
    try:
        yield program, counts
    finally:
        os.close(program)
        os.close(counts)


def counted(counts: int, index: int) -> tuple[int, int]:
    """Packets and bytes that a counter has."""
    each = [unpack("=QQ8x", value) for value in bpf.per_cpu_values(counts, index, COUNT_SIZE)]
    return sum(packets for packets, _ in each), sum(octets for _, octets in each)


@settings(max_examples=25)
@given(st.data())
def test_the_program_drops_what_the_decision_drops(data: st.DataObject) -> None:
    made = data.draw(designs())
    tables = tables_of(made)
    with loaded(made) as (program, _):
        for frame in data.draw(st.lists(frames(made), min_size=20, max_size=60)):
            built = frame.built()
            here = not any(frame.to)
            said = drops(made, tables, built, to_this_host=here)
            assert bpf.try_out(program, built)[0] == (PASS if said is None else DROP), frame


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        ({}, True),
        ({"port": 5061}, True),
        ({"port": 5062}, False),
        ({"port": 5059}, False),
        ({"protocol": 6}, True),
        ({"protocol": 6, "port": 5061}, False),
        ({"protocol": 132}, False),
        ({"protocol": 6, "payload": 11}, False),
        ({"short_by": 20}, True),
        ({"short_by": 21}, False),
        ({"to": b"\2\0\0\0\0\1"}, False),
        ({"to": b"\xff" * 6}, False),
        ({"kind": b"\x81\x00"}, False),
        ({"port": 10_000}, True),
    ],
)
def test_only_what_the_fence_would_drop_for_certain_is_dropped(
    family: Family, change: dict[str, object], dropped: bool
) -> None:
    frame = replace(STRANGER[family], **change)  # type: ignore[arg-type]
    with loaded(USUAL) as (program, _):
        assert bpf.try_out(program, frame.built())[0] == (DROP if dropped else PASS)


@pytest.mark.parametrize("change", [{"first": 0x46}, {"fragment": 0x2000}, {"fragment": 1}])
def test_options_and_fragments_go_to_the_fence(change: dict[str, int]) -> None:
    frame = replace(STRANGER[Family.IPV4], **change)  # type: ignore[arg-type]
    with loaded(USUAL) as (program, _):
        assert bpf.try_out(program, frame.built())[0] == PASS


@pytest.mark.parametrize(("family", "whole"), [(Family.IPV4, 42), (Family.IPV6, 62)])
def test_a_frame_that_ends_within_its_headers_goes_to_the_fence(family: Family, whole: int) -> None:
    with loaded(USUAL) as (program, _):
        for cut, verdict in ((whole, DROP), (whole - 1, PASS)):
            frame = replace(STRANGER[family], cut=cut)
            assert bpf.try_out(program, frame.built())[0] == verdict


def test_packets_are_counted_by_service_and_family() -> None:
    four, six = (STRANGER[family].built() for family in Family)
    media = replace(STRANGER[Family.IPV6], port=12_000).built()
    with loaded(USUAL) as (program, counts):
        for frame, times in ((four, 3), (six, 2), (media, 5)):
            bpf.try_out(program, frame, times)
        assert counted(counts, counter_index(USUAL, "sip", Family.IPV4)) == (3, 3 * len(four))
        assert counted(counts, counter_index(USUAL, "sip", Family.IPV6)) == (2, 2 * len(six))
        assert counted(counts, counter_index(USUAL, "rtp", Family.IPV6)) == (5, 5 * len(media))
        assert counted(counts, counter_index(USUAL, "rtp", Family.IPV4)) == (0, 0)
        assert counted(counts, sampled_index(USUAL)) == (0, 0)
    assert counters(USUAL) == 5


def test_an_audit_drops_nothing_and_counts_samples() -> None:
    with loaded(USUAL, sample=1) as (program, counts):
        assert bpf.try_out(program, STRANGER[Family.IPV4].built(), 100)[0] == PASS
        assert counted(counts, sampled_index(USUAL))[0] == 100
        assert counted(counts, counter_index(USUAL, "sip", Family.IPV4))[0] == 0


def test_an_armed_shield_samples_one_in_so_many() -> None:
    with loaded(USUAL, sample=1024) as (program, counts):
        bpf.try_out(program, STRANGER[Family.IPV4].built(), 200_000)
        dropped = counted(counts, counter_index(USUAL, "sip", Family.IPV4))[0]
        sampled = counted(counts, sampled_index(USUAL))[0]
    assert dropped + sampled == 200_000
    assert 100 < sampled < 300


def test_which_packet_becomes_a_sample_is_drawn() -> None:
    frame = STRANGER[Family.IPV4].built()
    with loaded(USUAL, sample=16) as (program, counts):
        verdicts = [bpf.try_out(program, frame)[0] for _ in range(4_000)]
        samples = [at for at, verdict in enumerate(verdicts) if verdict == PASS]
        assert counted(counts, sampled_index(USUAL))[0] == len(samples)
    gaps = [after - before for before, after in pairwise(samples)]
    assert 10 < len(gaps) < 600
    assert len(set(gaps)) > 3
    assert max(gaps) < 32


def test_an_address_that_is_not_the_hosts_is_none_of_its_business() -> None:
    other = replace(STRANGER[Family.IPV4], destination=OWN[Family.IPV4][0] + 1)
    without = replace(USUAL, addresses={Family.IPV4: OWN[Family.IPV4]})
    with loaded(without) as (program, _):
        assert bpf.try_out(program, other.built())[0] == PASS
        assert bpf.try_out(program, STRANGER[Family.IPV6].built())[0] == PASS
        assert bpf.try_out(program, STRANGER[Family.IPV4].built())[0] == DROP
