"""The reading of Asterisk's configuration on disk."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.asterisk.reading import PortRange, Reading, ReadingWarning, Server, WarningKind
from geofence.errors import StateError
from geofence.state.following import ReadingStore
from geofence.state.records import seal
from tests.asterisk.made import listener, media, readings, trunk
from tests.state.test_generations import json_values

FULL = Reading(
    listeners=(listener(5070), listener(5061, certain=False)),
    rtp=PortRange(10000, 12001, "rtp.conf", frozenset({4}), (10000, 10999), (10000, 12000)),
    rtp_more=(media(30000, 30999),),
    udptl=PortRange(4000, 4999, "udptl.conf", needed=False),
    trunks=(trunk("192.0.2.128/25", left_out=("192.0.2.200/32",), port=5060),),
    local_nets=("192.168.40.0/24",),
    external=("pbx.example.net",),
    stun=(Server("stun.example.net", 19302),),
    turn=(Server("turn.example.net", 3478),),
    unseen=(ReadingWarning(WarningKind.REALTIME, "sorcery.conf"),),
    invalid=("iax.conf",),
    files=("pjsip.conf", "rtp.conf"),
)


@pytest.fixture
def store(tmp_path: Path) -> ReadingStore:
    return ReadingStore(tmp_path)


def test_nothing_is_known_at_first(store: ReadingStore) -> None:
    assert store.load() is None


def test_a_reading_is_read_back(store: ReadingStore) -> None:
    store.save(FULL)
    assert store.load() == FULL


def test_warnings_are_not_kept(store: ReadingStore) -> None:
    told = ReadingWarning(WarningKind.NO_SIP_TRANSPORT, "pjsip.conf", {"option": object()})
    store.save(replace(FULL, warnings=(told,)))
    assert store.load() == FULL


def test_the_same_reading_is_not_written_again(store: ReadingStore, tmp_path: Path) -> None:
    store.save(FULL)
    [path] = (tmp_path / "asterisk").iterdir()
    before = path.stat().st_mtime_ns, path.stat().st_ino
    store.save(FULL)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


@pytest.mark.parametrize("cut", [0, 10, 200, -1])
def test_a_damaged_file_is_named_and_not_obeyed(
    store: ReadingStore, tmp_path: Path, cut: int
) -> None:
    store.save(FULL)
    [path] = (tmp_path / "asterisk").iterdir()
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(StateError, match=r"reading\.json"):
        store.load()
    store.save(FULL)
    assert store.load() == FULL


@given(reading=readings)
def test_any_reading_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, reading: Reading
) -> None:
    store = ReadingStore(tmp_path_factory.getbasetemp() / "any")
    store.save(reading)
    assert store.load() == reading


@given(body=json_values | st.dictionaries(st.sampled_from(list(Reading.__slots__)), json_values))
def test_whatever_is_sealed_is_a_reading_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, body: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "sealed" / "asterisk" / "reading.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(seal(1, json.dumps(body).encode()))
    path.chmod(0o600)
    with suppress(StateError):
        assert isinstance(ReadingStore(path.parents[1]).load(), Reading)
