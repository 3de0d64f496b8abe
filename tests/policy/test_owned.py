from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import RulesError
from geofence.policy import with_enabled
from tests.policy.rules import policy

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)

TWO = """\
# This file belongs to geofence's command line: "geofence allow" and "geofence revoke" write it
# anew. Rules of your own go into another file of this directory.

[exception.push-as]
enabled = true

[exception.push-eu]
enabled = true
"""


def switches(text: str, names: set[str]) -> dict[str, bool]:
    """What the loader makes of the owned file on top of rules that have the exceptions."""
    rules = "".join(f'exception.{name}.hosts = ["a.example"]\n' for name in names)
    return {exception.name: exception.enabled for exception in policy(rules, text).exceptions}


def test_the_text() -> None:
    assert with_enabled("", ["push-eu", "push-as"], enabled=True) == TWO


def test_others_keep_their_setting() -> None:
    text = with_enabled(TWO, ["push-as", "trunk"], enabled=False)
    names = {"push-as", "push-eu", "trunk"}
    assert switches(text, names) == {"push-as": False, "push-eu": True, "trunk": False}


@given(st.lists(st.tuples(st.sets(NAMES, max_size=4), st.booleans()), max_size=5))
def test_the_loader_reads_what_was_switched(steps: list[tuple[set[str], bool]]) -> None:
    text, expected = "", dict[str, bool]()
    for names, enabled in steps:
        text = with_enabled(text, names, enabled=enabled)
        expected |= dict.fromkeys(names, enabled)
    assert switches(text, set(expected)) == expected


@given(names=st.sets(NAMES, min_size=1), enabled=st.booleans())
def test_doing_it_again_changes_nothing(names: set[str], *, enabled: bool) -> None:
    once = with_enabled("", names, enabled=enabled)
    assert with_enabled(once, sorted(names, reverse=True), enabled=enabled) == once


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[exception.a]\nenabled = true\nhosts = ["a.example"]', 3),
        ("[exception.a]\nenabled = 1", 2),
        ("[exception.A]\nenabled = true", 2),
        ("[exception.a]\nenabled = true\n[exception.b]\n", 3),
        ("exception = 1", 1),
        ("\n[allow]\ncountries = []", 3),
    ],
)
def test_what_a_person_wrote_into_it_is_not_thrown_away(text: str, line: int) -> None:
    with pytest.raises(RulesError) as caught:
        with_enabled(text, ["b"], enabled=True)
    assert str(caught.value) == (
        f"99-command-line.toml:{line}: this is not from the command line, which would lose it; "
        "expected [exception.NAME] tables with enabled = true or false; "
        "move other rules into another file of the directory"
    )


def test_no_toml() -> None:
    with pytest.raises(RulesError, match=r"^99-command-line\.toml:2: no valid TOML at column 1"):
        with_enabled("\n]", ["a"], enabled=True)


def test_a_name_that_is_none_is_never_written() -> None:
    with pytest.raises(ValueError, match="is no name"):
        with_enabled("", ["a]\nbackend = 'ipset'"], enabled=True)


@given(st.text() | st.text(alphabet='[]exception.a\n= "tru'))
def test_any_text_is_switched_or_refused(text: str) -> None:
    try:
        changed = with_enabled(text, ["a"], enabled=True)
    except RulesError as error:
        assert str(error).startswith("99-command-line.toml:")  # noqa: PT017 - either is right
    else:
        assert "[exception.a]\nenabled = true\n" in changed
