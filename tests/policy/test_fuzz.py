"""Whatever stands in rules makes a policy or a RulesError that says where, never anything else.

A longer run is one with another profile of hypothesis.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import RulesError
from geofence.policy.files import RulesFile
from geofence.policy.load import load_policy, policy_of
from tests.policy.documents import SCALARS, Writer, documents

SHIPPED = [
    RulesFile("shipped", path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[2] / "rules.d").glob("*.toml"))
]

COMPLAINT = re.compile(r"[a-z]+(:\d+)?: .+; expected .+|These are the first 100 .+")


def judge(*files: RulesFile) -> None:
    """Load rules and hold a refusal against the form that errors have."""
    try:
        policy_of(files)
    except RulesError as error:
        lines = str(error).splitlines()
    else:
        return
    assert lines
    assert all(COMPLAINT.fullmatch(line) and line.isprintable() for line in lines), lines


def judge_own(*texts: str) -> None:
    """The same for an operator's files beside those that ship."""
    judge(*SHIPPED, *(RulesFile("own", text) for text in texts))


KEYS = (
    "service.sip.ports",
    "service.sip.countries",
    "service.x.description",
    "service.sip.enabled",
    "allow.countries",
    "local.prefixes",
    "local.interfaces",
    "exception.push.hosts",
    "exception.push.prefixes",
    "exception.push.services",
    "exception.push.group",
    "exception.push.enabled",
    "exception.push.description",
    "exception.x",
    "blocklist.x.url",
    "blocklist.x.urls",
    "blocklist.x.prefixes",
    "blocklist.x.enabled",
    "source.country.urls",
    "source.x",
    "backend",
    "boot.without_ruleset",
    "notify.command",
    "guard.shrink",
    'guard.shrink."country JP"',
    "guard.shrink.blocklist",
    "lists.max_age",
    "daemon.at",
    "daemon.jitter",
    "service",
    "allow",
    "exception",
    '""."\\u0000"',
)

HALF_RIGHT = st.text(alphabet="0123456789abcdef:./-*{}[]@ %hdwsm") | st.sampled_from(
    (
        "5060/udp",
        "70000-1/tcp",
        "JP",
        "jp",
        "XX",
        "10.0.0.1/8",
        "10.0.0.0/8",
        "1.2.3.4-1.2.3.9",
        "::/0",
        "0.0.0.0/0",
        "::ffff:0:0/96",
        "lo",
        "tun+",
        "push.example.com",
        "sip:a@b",
        "https://a.example/{cc}/{family}",
        "http://[::1]/{cc}",
        "https://[",
        "https://\u2100.example/",
        "nftables",
        "open",
        "36h",
        "999999w",
        "23:59",
        "/bin/true",
        "sip",
        "bria",
        "push",
        "country JP",
    )
)


def toml_string(text: str) -> str:
    """A basic string; TOML has no surrogates."""
    return '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'


STRINGS = (HALF_RIGHT | st.text(st.characters(exclude_categories=["Cs"]))).map(toml_string)
NUMBERS = (st.integers() | st.floats(width=32)).map(str)
LEAVES = STRINGS | NUMBERS | st.sampled_from(SCALARS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(STRINGS, inner, max_size=3).map(
            lambda table: f"{{{', '.join(f'{key} = {value}' for key, value in table.items())}}}"
        )
    ),
    max_leaves=8,
)


@given(st.text())
def test_any_text(text: str) -> None:
    judge_own(text)


@given(st.text(alphabet="[]{}=\"'.,#\n\r\t \\abc123-_:TZx+"))
def test_text_of_what_toml_is_made_of(text: str) -> None:
    judge_own(text)


@given(documents())
def test_any_document(document: Writer) -> None:
    judge_own(document.text)


@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), min_size=1, max_size=3))
def test_any_value_at_any_key(settings: list[tuple[str, str]]) -> None:
    judge_own(*(f"{key} = {value}\n" for key, value in settings))


@given(st.dictionaries(st.sampled_from(KEYS[:29]), STRINGS, min_size=1))
def test_lists_of_one_string_that_may_be_right(settings: dict[str, str]) -> None:
    judge_own(*(f"{key} = [{value}]\n" for key, value in settings.items()))


@given(st.data())
def test_shipped_rules_with_a_piece_missing_doubled_or_changed(data: st.DataObject) -> None:
    text = "".join(file.text for file in SHIPPED)
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, min(len(text), first + 200)))
    middle = data.draw(st.just("") | st.just(text[first:last] * 2) | st.text(max_size=10))
    judge(RulesFile("own", text[:first] + middle + text[last:]))


@given(st.lists(st.binary(max_size=100), max_size=3))
def test_any_octets_in_files(contents: list[bytes]) -> None:
    with TemporaryDirectory() as directory:
        for index, octets in enumerate(contents):
            (Path(directory) / f"{index}.toml").write_bytes(octets)
        try:
            load_policy([Path(directory)])
        except RulesError as error:
            assert str(error).startswith(directory)  # noqa: PT017 - either outcome is right
