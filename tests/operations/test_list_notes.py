from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from geofence.lists.formats import parse_part
from geofence.lists.parsed import Candidate
from geofence.model.changes import change_between
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.notes import Note, NoteKind
from geofence.model.prefixes import AddressSpace
from geofence.operations.list_notes import list_notes, unchanging_notes
from geofence.sentences.lists import names
from geofence.state.versions import History

JP = ListId(ListKind.COUNTRY, "JP")
BAD = ListId(ListKind.BLOCKLIST, "bad")
PUSH = ListId(ListKind.HOST, "push.example")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def candidate(wanted: ListId, body: str) -> Candidate:
    parsed = parse_part(wanted, None, body.encode())
    part = Provenance("https://lists.example/", None, "0" * 64, NOON, NOON)
    return Candidate(AcceptedList(wanted, parsed.space, (part,)), (body.encode(),), parsed)


def noted(wanted: ListId, body: str, former: str = "") -> tuple[Note, ...]:
    now = candidate(wanted, body)
    before = candidate(wanted, former).accepted.space if former else None
    change = None if before is None else change_between(before, now.accepted.space)
    return tuple(list_notes(now, change, History()))


def test_skipped_lines_are_reported_with_their_numbers() -> None:
    good = "".join(f"8.8.8.{number}\n" for number in range(20))
    body = f"{good}942.180.233.122\nTue\n"
    [note] = noted(BAD, body)
    assert (note.kind, note.data["number"]) == (NoteKind.LIST_LINES_SKIPPED, 2)
    assert [line.partition(":")[0] for line in names(note, "lines")] == ["line 21", "line 22"]


def test_added_and_removed_addresses_of_a_host_name_are_reported() -> None:
    assert noted(PUSH, "192.0.2.1\n") == ()
    [note] = noted(PUSH, "192.0.2.1\n2001:db8::1\n", "192.0.2.1\n192.0.2.9\n")
    assert (note.kind, note.subject) == (NoteKind.HOST_CHANGED, "push.example")
    assert note.data == {"added": ["2001:db8::1"], "removed": ["192.0.2.9"], "dropped": []}


def test_an_ipv6_prefix_of_32_bits_is_not_a_single_address() -> None:
    [note] = noted(PUSH, "2001:db8::/32\n192.0.2.7\n", "192.0.2.9\n")
    assert note.data == {
        "added": ["192.0.2.7", "2001:db8::/32"],
        "removed": ["192.0.2.9"],
        "dropped": [],
    }


@pytest.mark.parametrize("kind", [ListKind.COUNTRY, ListKind.BLOCKLIST])
def test_a_list_that_goes_back_is_reported(kind: ListKind) -> None:
    wanted = ListId(kind, "bad")
    bodies = ["8.8.8.0/24\n", "8.8.8.0/24\n8.8.9.0/24\n"]
    first, second = (candidate(BAD, body) for body in bodies)
    history = History().noted(first.accepted.space, NOON)
    history = history.noted(second.accepted.space, NOON + DAY)
    named = Candidate(
        AcceptedList(wanted, first.accepted.space, first.accepted.provenance),
        first.bodies,
        first.parsed,
    )
    change = change_between(second.accepted.space, first.accepted.space)
    [note] = list_notes(named, change, history)
    assert (note.kind, note.data["since"]) == (NoteKind.LIST_WENT_BACK, NOON.isoformat())
    assert tuple(list_notes(second, None, history)) == ()


@pytest.mark.parametrize(
    ("code", "days", "told"),
    [
        ("JP", 31, True),
        ("JP", 29, False),
        ("AT", 119, False),
        ("AT", 121, True),
        ("MC", 900, False),
        ("LI", 900, False),
    ],
)
def test_an_unchanging_list_is_reported_by_its_size(code: str, days: int, told: bool) -> None:
    wanted = ListId(ListKind.COUNTRY, code)
    space = AddressSpace()
    history = History().noted(space, NOON).noted(space, NOON + days * DAY)
    notes = unchanging_notes({wanted: history})
    assert bool(notes) is told
    for note in notes:
        assert (note.kind, note.subject) == (NoteKind.LIST_UNCHANGING, f"country {code}")


def test_a_source_that_was_not_asked_is_not_unchanging() -> None:
    assert unchanging_notes({JP: History().noted(AddressSpace(), NOON)}) == ()
