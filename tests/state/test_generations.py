from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geofence.errors import StateError
from geofence.merge import merge
from geofence.model.generation import Generation, ListNote
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.model.ruleset import FencedService, LocalNetwork, Role, Ruleset, SetKey
from geofence.routing.local_networks import Place, Reached
from geofence.state.generations import (
    FORMAT,
    KEPT,
    KEPT_FOR,
    MOST_KEPT,
    Damaged,
    GenerationStore,
    decode,
    encode,
)
from geofence.state.records import RecordError
from tests.support.values import JAPAN, families, policy, prefix, prefix_sets, prefixes

NOW = datetime(2026, 2, 1, 3, 30, 12, 345678, tzinfo=UTC)
SAMPLE = Generation(
    number=7,
    created_at=NOW,
    reason="allow push-as",
    backend="ipset",
    ruleset=merge(policy(), JAPAN, [Place("eth1", prefix("10.1.0.0/16"), Reached.CONNECTED)]),
    lists=(ListNote("country JP", NOW, "ab" * 32),),
)
ENCODED = encode(SAMPLE)

names = st.text(st.characters(codec="utf-8"), max_size=12)
moments = st.datetimes(timezones=st.just(UTC))
port_ranges = st.builds(
    lambda protocol, ends: Ports(protocol, *sorted(ends)),
    st.sampled_from(Protocol),
    st.tuples(st.integers(1, 65535), st.integers(1, 65535)),
)
services = st.builds(
    FencedService, names, st.lists(port_ranges, max_size=3).map(tuple), allow_group=names
)
keys = st.builds(SetKey, st.sampled_from(Role), names, families)
rulesets = st.builds(
    lambda services, interfaces, sets, local: Ruleset(
        tuple(services), tuple(interfaces), dict(sets), tuple(local)
    ),
    st.lists(services, max_size=3),
    st.lists(names, max_size=3),
    st.lists(
        keys.flatmap(lambda key: st.tuples(st.just(key), prefix_sets(key.family))),
        max_size=4,
        unique_by=lambda pair: pair[0],
    ),
    st.lists(st.builds(LocalNetwork, names, families.flatmap(prefixes)), max_size=3),
)
generations = st.builds(
    Generation,
    number=st.integers(1, 10**8 - 1),
    created_at=moments,
    reason=names,
    backend=names,
    ruleset=rulesets,
    lists=st.lists(st.builds(ListNote, names, moments, names), max_size=3).map(tuple),
)


@given(generations)
def test_encoded_generations_are_decoded(generation: Generation) -> None:
    assert decode(encode(generation)) == generation


def test_whole_families_and_single_addresses_at_the_ends_survive() -> None:
    everything = {
        SetKey(Role.ALLOW, "", family): type(SAMPLE.ruleset.sets[key])(family).complement()
        for key in SAMPLE.ruleset.sets
        for family in [key.family]
    }
    whole = replace(SAMPLE, ruleset=Ruleset(sets=everything))
    assert decode(encode(whole)) == whole
    assert {held.size for held in everything.values()} == {1 << 32, 1 << 128}


@given(st.integers(0, len(ENCODED) - 1), st.integers(1, 255))
@example(ENCODED.index(b" "), ord(" ") ^ ord("\t"))
def test_every_damaged_byte_is_noticed(at: int, flipped: int) -> None:
    damaged = bytearray(ENCODED)
    damaged[at] ^= flipped
    with pytest.raises(
        ValueError, match=r"^(It is damaged|Its (checksum|format) |A newer version )"
    ):
        decode(bytes(damaged))


def test_truncated_files_are_refused() -> None:
    for length in range(len(ENCODED)):
        with pytest.raises(
            ValueError, match=r"^(It is damaged|Its (checksum|format) |A newer version )"
        ):
            decode(ENCODED[:length])


@given(st.binary(min_size=1, max_size=40))
def test_trailing_bytes_are_refused(more: bytes) -> None:
    with pytest.raises(ValueError, match="checksum"):
        decode(ENCODED + more)


@given(st.binary())
def test_other_files_are_ignored(content: bytes) -> None:
    with pytest.raises(
        ValueError, match=r"^(It is damaged|Its (checksum|format) |A newer version )"
    ):
        decode(content)


def sealed(body: bytes, stated_format: object = FORMAT) -> bytes:
    """A file whose checksum is right, whatever it holds."""
    head = {"format": stated_format, "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(head).encode() + b"\n" + body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
FACTS, PACKED = ENCODED.partition(b"\n")[2].split(b"\n", 1)


@given(st.sampled_from(sorted(json.loads(FACTS))), json_values, st.binary(max_size=40))
def test_a_right_checksum_over_wrong_facts_raises_nothing_else(
    key: str, value: object, packed: bytes
) -> None:
    facts = {**json.loads(FACTS), key: value}
    for body in (PACKED, packed):
        try:
            found = decode(sealed(json.dumps(facts).encode() + b"\n" + body))
        except ValueError:
            continue
        assert decode(encode(found)) == found


@pytest.mark.parametrize("stated", [0, -1, "1", None, [1], True, 1.0])
def test_an_unknown_format_is_named(stated: object) -> None:
    with pytest.raises(RecordError, match=r"^Its format is unknown\.$"):
        decode(sealed(FACTS + b"\n" + PACKED, stated))


def test_a_newer_format_asks_for_an_upgrade() -> None:
    with pytest.raises(RecordError) as caught:
        decode(sealed(FACTS + b"\n" + PACKED, FORMAT + 1))
    assert str(caught.value) == (
        f"A newer version of geofence wrote it (format {FORMAT + 1}; this version reads up to "
        f"{FORMAT}). Upgrade geofence to use it."
    )


def test_a_field_that_an_older_file_lacks_has_its_default() -> None:
    def drop(facts: dict[str, Any]) -> None:
        del facts["restores"], facts["ruleset"]["local"]
        for service in facts["ruleset"]["services"]:
            del service["helpers"], service["replies"]

    plain = replace(SAMPLE, ruleset=replace(SAMPLE.ruleset, local=()))
    assert decode(_with_facts(drop)) == plain


def test_a_field_that_a_newer_file_has_in_this_format_is_ignored() -> None:
    def add(facts: dict[str, Any]) -> None:
        facts["mood"] = facts["ruleset"]["services"][0]["log"] = True

    assert decode(_with_facts(add)) == SAMPLE


@pytest.mark.parametrize("field", ["number", "created_at", "reason", "backend", "ruleset", "sets"])
def test_a_file_that_lacks_a_required_field_is_damaged(field: str) -> None:
    with pytest.raises(RecordError, match="damaged"):
        decode(_with_facts(lambda facts: facts.pop(field)))


@pytest.mark.parametrize("field", ["services", "interfaces"])
def test_a_ruleset_without_services_or_interfaces_is_damaged(field: str) -> None:
    with pytest.raises(RecordError, match="damaged"):
        decode(_with_facts(lambda facts: facts["ruleset"].pop(field)))


def test_a_time_without_its_zone_is_damage() -> None:
    facts = {**json.loads(FACTS), "created_at": "2026-02-01T03:30:00"}
    with pytest.raises(RecordError, match="damaged"):
        decode(sealed(json.dumps(facts).encode() + b"\n" + PACKED))


def numbered(number: int) -> Generation:
    return replace(SAMPLE, number=number, reason=f"run {number}")


@pytest.fixture
def store(tmp_path: Path) -> GenerationStore:
    return GenerationStore(tmp_path)


def path(tmp_path: Path, number: int) -> Path:
    return tmp_path / "generations" / f"{number:08d}.generation"


def test_nothing_is_there_before_the_first(store: GenerationStore) -> None:
    assert store.numbers() == []
    assert list(store.walk()) == []
    assert store.newest() == (None, ())


def test_the_newest_is_the_one_recorded_last(store: GenerationStore) -> None:
    for number in (1, 2, 3):
        store.record(numbered(number))
    assert store.newest() == (numbered(3), ())
    assert list(store.walk()) == [numbered(3), numbered(2), numbered(1)]


def test_those_of_the_last_weeks_are_kept_and_always_some(
    store: GenerationStore, tmp_path: Path
) -> None:
    for number in range(1, KEPT + 4):
        store.record(numbered(number))
    assert store.numbers() == list(range(KEPT + 3, 0, -1))
    old = (numbered(1).created_at - KEPT_FOR).timestamp() - 1
    for number in range(1, KEPT + 4):
        os.utime(tmp_path / f"generations/{number:08d}.generation", (old, old))
    store.record(numbered(KEPT + 4))
    assert store.numbers() == list(range(KEPT + 4, 4, -1))


def test_never_too_many_are_kept(store: GenerationStore) -> None:
    for number in range(1, MOST_KEPT + 4):
        store.record(numbered(number))
    assert store.numbers() == list(range(MOST_KEPT + 3, 3, -1))


def test_a_number_is_given_once(store: GenerationStore) -> None:
    assert (store.next_number(), store.ever_recorded()) == (1, False)
    for number in (1, 2):
        store.record(numbered(number))
    store.discard_after(1)
    assert (store.next_number(), store.ever_recorded()) == (3, True)
    store.discard_after(0)
    assert (store.next_number(), store.ever_recorded()) == (3, False)


def test_files_are_private(store: GenerationStore, tmp_path: Path) -> None:
    store.record(numbered(1))
    assert path(tmp_path, 1).stat().st_mode & 0o777 == 0o600
    assert path(tmp_path, 1).parent.stat().st_mode & 0o777 == 0o700


def test_numbers_go_by_value(store: GenerationStore, tmp_path: Path) -> None:
    for number in (9, 10, 99_999_999):
        store.record(numbered(number))
    (tmp_path / "generations" / "notes.txt").touch()
    (tmp_path / "generations" / "x.generation").touch()
    (tmp_path / "generations" / ".geofence-00.tmp").touch()
    assert store.numbers() == [99_999_999, 10, 9]


def spoil(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_a_damaged_one_is_named_and_passed_over(store: GenerationStore, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        store.record(numbered(number))
    spoil(path(tmp_path, 3))

    found, [damaged] = store.newest()

    assert found == numbered(2)
    assert str(damaged) == (
        f"The generation {path(tmp_path, 3)} was skipped. Its checksum does not match its content."
    )


def test_one_of_a_newer_version_is_skipped_and_kept(store: GenerationStore, tmp_path: Path) -> None:
    for number in (1, 2):
        store.record(numbered(number))
    newer = sealed(path(tmp_path, 2).read_bytes().partition(b"\n")[2], FORMAT + 1)
    path(tmp_path, 2).write_bytes(newer)

    found, [skipped] = store.newest()
    store.record(numbered(store.next_number()))

    assert found == numbered(1)
    assert "Upgrade geofence" in skipped.why
    assert store.numbers() == [3, 2, 1]
    assert path(tmp_path, 2).read_bytes() == newer


def test_damaged_generations_only_count_as_none(store: GenerationStore, tmp_path: Path) -> None:
    for number in (1, 2):
        store.record(numbered(number))
        path(tmp_path, number).write_bytes(b"")

    found, damaged = store.newest()

    assert found is None
    assert [each.path for each in damaged] == [path(tmp_path, 2), path(tmp_path, 1)]


def test_a_generation_that_others_can_write_is_skipped(
    store: GenerationStore, tmp_path: Path
) -> None:
    store.record(numbered(1))
    store.record(numbered(2))
    path(tmp_path, 2).chmod(0o666)

    found, [damaged] = store.newest()

    assert found == numbered(1)
    assert "chmod go-w" in str(damaged)


@pytest.mark.parametrize("kind", ["directory", "symbolic link", "pipe"])
def test_a_generation_that_is_not_a_regular_file_is_skipped(
    store: GenerationStore, tmp_path: Path, kind: str
) -> None:
    store.record(numbered(1))
    odd = path(tmp_path, 2)
    make: dict[str, Callable[[], object]] = {
        "directory": odd.mkdir,
        "symbolic link": lambda: odd.symlink_to(path(tmp_path, 1)),
        "pipe": lambda: os.mkfifo(odd),
    }
    make[kind]()

    found, [damaged] = store.newest()

    assert found == numbered(1)
    assert isinstance(damaged, Damaged)
    assert str(odd) in str(damaged)


def test_a_file_in_the_directory_s_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "generations").touch()
    store = GenerationStore(tmp_path)
    with pytest.raises(StateError, match="generations"):
        store.numbers()
    with pytest.raises(StateError, match="generations"):
        store.record(numbered(1))


def test_families_keep_their_own_addresses() -> None:
    held = decode(ENCODED).ruleset.sets
    assert str(held[SetKey(Role.ALLOW, "", Family.IPV4)].prefixes()[0]) == "192.0.2.0/24"
    assert str(held[SetKey(Role.ALLOW, "", Family.IPV6)].prefixes()[0]) == "2001:db8:1::/48"


def _with_facts(
    change: Callable[[dict[str, Any]], object], content: bytes = ENCODED, form: int = FORMAT
) -> bytes:
    """Return a file with other facts and the checksum that they need."""
    _, _, body = content.partition(b"\n")
    facts, _, packed = body.partition(b"\n")
    read = json.loads(facts)
    change(read)
    return sealed(json.dumps(read, separators=(",", ":")).encode() + b"\n" + packed, form)


def _by_place(facts: dict[str, Any]) -> None:
    """Make the facts those of format 1."""
    ruleset = facts.pop("ruleset")
    for service in ruleset["services"]:
        del service["observe"]
        service["ports"] = [list(each.values()) for each in service["ports"]]
    facts |= {
        "services": [list(each.values()) for each in ruleset["services"]],
        "interfaces": ruleset["interfaces"],
        "local": [list(each.values()) for each in ruleset["local"]],
        "sets": [list(each.values()) for each in facts["sets"]],
        "lists": [list(each.values()) for each in facts["lists"]],
    }


@given(generations)
def test_a_file_of_format_1_is_read(generation: Generation) -> None:
    services = tuple(replace(each, observe=False) for each in generation.ruleset.services)
    older = replace(generation, ruleset=replace(generation.ruleset, services=services))
    assert decode(_with_facts(_by_place, encode(generation), 1)) == older


def test_the_oldest_files_of_format_1_have_no_local_networks() -> None:
    def oldest(facts: dict[str, Any]) -> None:
        _by_place(facts)
        del facts["local"]

    older = decode(_with_facts(oldest, form=1))
    assert older == replace(SAMPLE, ruleset=replace(SAMPLE.ruleset, local=()))


@pytest.mark.parametrize(
    "wrong",
    [
        [["eth1", "10.0.0.1/8"]],
        [["eth1", "10.0.0.0"]],
        [["eth1", "10.0.0.0/33"]],
        [["eth1", "10.0.0.0/-1"]],
        [["eth1", "10.0.0.0/08"]],
        [["eth1", "x/8"]],
        [["eth1"]],
        [[7, "10.0.0.0/8"]],
        [["eth1", "::/0", "more"]],
        7,
    ],
)
def test_local_networks_that_make_no_sense_are_damage(wrong: object) -> None:
    def by_name(facts: dict[str, Any]) -> None:
        names = ("interface", "prefix", "more")
        facts["ruleset"]["local"] = (
            [dict(zip(names, each, strict=False)) for each in wrong]
            if isinstance(wrong, list)
            else wrong
        )

    def by_place(facts: dict[str, Any]) -> None:
        _by_place(facts)
        facts["local"] = wrong

    contents = [_with_facts(by_place, form=1)]
    if wrong != [["eth1", "::/0", "more"]]:  # more names may come
        contents.append(_with_facts(by_name))
    for content in contents:
        with pytest.raises(RecordError, match="damaged"):
            decode(content)
