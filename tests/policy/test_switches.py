from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import RulesError
from geofence.model.policy import Policy
from geofence.policy import OWNED_FILE, read_owned
from geofence.policy.files import RulesFile
from tests.policy.rules import policy, policy_of

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)

KNOWN = {"a", "b", "push-as", "push-eu", "trunk"}

TWO = """\
# Written by "geofence allow" and "geofence revoke", which overwrite all changes. Put rules of your
# own into another file of this directory.

[exception.push-as]
enabled = true

[exception.push-eu]
enabled = true
"""


def with_enabled(text: str, names: Iterable[str], enabled: bool, known: Collection[str]) -> str:
    """The text of the owned file with exceptions enabled or disabled."""
    return read_owned(text).keeping(known).switched(names, enabled).text()


def switches(text: str, names: set[str]) -> dict[str, bool]:
    """What the loader makes of the owned file on top of rules that have the exceptions."""
    rules = "".join(f'exception.{name}.hosts = ["a.example"]\n' for name in names)
    return {exception.name: exception.enabled for exception in policy(rules, text).exceptions}


def with_owned(rules: str, owned: str, later: str = "") -> Policy:
    """The policy of rules, of the command line's own file, and of one that is read after it."""
    texts = {"/r/50-mine.toml": rules, f"/r/{OWNED_FILE}": owned, "/r/99-z.toml": later}
    return policy_of(RulesFile(*file) for file in texts.items())


def test_the_text() -> None:
    assert with_enabled("", ["push-eu", "push-as"], True, KNOWN) == TWO


def test_others_keep_their_setting() -> None:
    text = with_enabled(TWO, ["push-as", "trunk"], False, KNOWN)
    names = {"push-as", "push-eu", "trunk"}
    assert switches(text, names) == {"push-as": False, "push-eu": True, "trunk": False}


def test_a_switch_for_an_exception_that_is_gone_is_dropped_at_the_next_change() -> None:
    text = with_enabled(TWO, ["trunk"], False, {"push-eu", "trunk"})
    assert "push-as" not in text
    assert switches(text, {"push-eu", "trunk"}) == {"push-eu": True, "trunk": False}


@pytest.mark.parametrize("later", ["", 'exception.trunk.hosts = ["a.example"]'])
def test_a_switch_for_an_exception_that_is_gone_means_nothing(later: str) -> None:
    rules = 'exception.push-as = { hosts = ["a.example"], enabled = false }'
    made = with_owned(rules, TWO, later)
    assert {each.name: each.enabled for each in made.exceptions} == {
        "push-as": True,
        **({"trunk": True} if later else {}),
    }
    assert made.stale_switches == {"push-eu": True}


def test_a_switch_for_an_exception_that_is_gone_is_remembered_as_it_was() -> None:
    owned = with_enabled(TWO, ["push-as"], False, KNOWN)
    assert with_owned("", owned).stale_switches == {"push-as": False, "push-eu": True}
    defined = '[exception.push-as]\nhosts = ["a.example"]\n'
    assert with_owned(defined, owned).stale_switches == {"push-eu": True}


@pytest.mark.parametrize("file", ["50-mine.toml", "99-z.toml"])
def test_anywhere_else_such_a_switch_is_a_slip(file: str) -> None:
    switch = "\n[exception.push-as]\nenabled = true\n"
    own, later = (switch, "") if file == "50-mine.toml" else ("", switch)
    with pytest.raises(RulesError) as caught:
        with_owned(own, TWO, later)
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == [f"/r/{file}:2:"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[exception.a]\nenabled = 1", 2),
        ('[exception.a]\nenabled = true\nservices = ["sip"]', 3),
        ("[exception.A]\nenabled = true", 1),
        ("[exception.a]\n", 1),
        ("[service.a]\nenabled = true", 1),
    ],
)
def test_hand_written_rules_in_it_are_checked(text: str, line: int) -> None:
    with pytest.raises(RulesError, match=rf"/r/{OWNED_FILE}:{line}: "):
        with_owned("", text)


@given(st.lists(st.tuples(st.sets(NAMES, max_size=4), st.booleans()), max_size=5))
def test_the_loader_reads_the_switches(steps: list[tuple[set[str], bool]]) -> None:
    text, expected = "", dict[str, bool]()
    for names, enabled in steps:
        expected |= dict.fromkeys(names, enabled)
        text = with_enabled(text, names, enabled, expected)
    assert switches(text, set(expected)) == expected


@given(names=st.sets(NAMES, min_size=1), enabled=st.booleans())
def test_doing_it_again_changes_nothing(names: set[str], *, enabled: bool) -> None:
    once = with_enabled("", names, enabled, names)
    assert with_enabled(once, sorted(names, reverse=True), enabled, names) == once


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[exception.a]\nenabled = true\nhosts = ["a.example"]', 2),
        ("[exception.a]\nenabled = 1", 2),
        ("[exception.A]\nenabled = true", 2),
        ("[exception.a]\nenabled = true\n[exception.b]\n", 3),
        ("exception = 1", 1),
        ("\n[allow]\ncountries = []", 3),
    ],
)
def test_hand_written_rules_in_it_are_kept(text: str, line: int) -> None:
    with pytest.raises(RulesError) as caught:
        with_enabled(text, ["b"], True, KNOWN)
    assert str(caught.value) == (
        f"99-command-line.toml:{line}: this was not written by 'geofence allow' or "
        "'geofence revoke', which would delete it; "
        "expected only exceptions and countries as these commands write them; "
        "move other rules into another file of the directory"
    )


def test_invalid_toml_is_refused() -> None:
    with pytest.raises(RulesError, match=r"^99-command-line\.toml:2: not valid TOML at column 1"):
        with_enabled("\n]", ["a"], True, KNOWN)


def test_an_invalid_name_is_not_written() -> None:
    with pytest.raises(ValueError, match="is not a valid name"):
        with_enabled("", ["a]\nbackend = 'ipset'"], True, KNOWN)


@given(st.text() | st.text(alphabet='[]exception.a\n= "tru'))
def test_any_text_is_switched_or_refused(text: str) -> None:
    try:
        changed = with_enabled(text, ["a"], True, KNOWN)
    except RulesError as error:
        assert str(error).startswith("99-command-line.toml:")  # noqa: PT017 - either is right
    else:
        assert "[exception.a]\nenabled = true\n" in changed
