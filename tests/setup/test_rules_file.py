"""The text of the rules file that ``setup`` owns."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from geofence.setup.rules_file import RulesTable, file_text, is_unchanged, read_tables, toml_value

_WORDS = st.text(max_size=20)
_TABLES = st.lists(
    st.builds(
        RulesTable,
        st.sampled_from(["allow", "local", "service.sip", "service.rtp", "exception.north"]),
        st.dictionaries(
            st.sampled_from(["ports", "hosts", "note"]),
            st.booleans() | _WORDS | st.lists(_WORDS, max_size=5).map(tuple),
            min_size=1,
            max_size=4,
        ),
        st.lists(_WORDS, max_size=3).map(tuple),
    ),
    max_size=4,
    unique_by=lambda table: table.heading,
)


@given(_TABLES)
def test_whatever_is_in_it_reads_back(tables: list[RulesTable]) -> None:
    text = file_text(tables)
    by_heading = {table.heading: dict(table.keys) for table in tables}
    assert {table.heading: dict(table.keys) for table in read_tables(text)} == by_heading
    assert is_unchanged(text)


@given(_TABLES)
def test_no_line_says_what_only_a_comment_said(tables: list[RulesTable]) -> None:
    bare = [RulesTable(table.heading, table.keys) for table in tables]
    assert tomllib.loads(file_text(tables)) == tomllib.loads(file_text(bare))


@given(st.text())
def test_a_terminal_that_shows_a_value_obeys_nothing_in_it(text: str) -> None:
    controls = {chr(number) for number in (*range(32), *range(127, 160))}
    assert not controls & set(toml_value(text))


def test_a_comment_with_line_breaks_stays_a_comment() -> None:
    hostile = 'x\n[allow]\ncountries = ["KP"]\r\x1b]0;title\x07\u2028\u202e'
    text = file_text([RulesTable("allow", {"countries": ("JP",)}, (hostile,))])
    assert tomllib.loads(text) == {"allow": {"countries": ["JP"]}}
    assert all(char.isprintable() or char == "\n" for char in text)


def test_a_change_by_hand_is_seen() -> None:
    text = file_text([RulesTable("allow", {"countries": ("JP",)}, ("as asked",))])
    assert is_unchanged(text)
    assert not is_unchanged(text.replace("JP", "DE"))
    assert not is_unchanged(text + "# mine\n")
    assert not is_unchanged("# mine\n" + text)
    assert not is_unchanged("")
