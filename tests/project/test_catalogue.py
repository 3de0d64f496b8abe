"""The catalogues hold every message of the source, translated, and are what the package ships."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from geofence.cli.verbs import daily
from tools.catalogue import catalogues, compiled, extracted, read, updated

each_catalogue = pytest.mark.parametrize(
    "path", list(catalogues()), ids=lambda path: path.parts[-3]
)


def forms(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """The forms of a message or a translation: more than one if it depends on a number."""
    return (text,) if isinstance(text, str) else tuple(text or ("",))


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def messages(path: Path) -> list[Message]:
    return [message for message in read(path) if message.id]


def test_japanese_ships() -> None:
    assert [path.parts[-3] for path in catalogues()] == ["ja"]


def test_messages_are_found_in_the_source() -> None:
    found = extracted()
    assert daily.PANEL in found
    assert "Show this message and exit." in found


@each_catalogue
def test_it_is_up_to_date(path: Path) -> None:
    assert path.read_bytes() == updated(path), "run 'python -m tools.catalogue update'"


@each_catalogue
def test_every_message_is_translated(path: Path) -> None:
    missing = [
        message.id for message in messages(path) if not all(forms(message.string)) or message.fuzzy
    ]
    assert not missing, f"{len(missing)} to translate: {missing}"
    assert not read(path).obsolete


@each_catalogue
def test_translations_have_the_placeholders_of_their_messages(path: Path) -> None:
    wrong = [
        message.id
        for message in messages(path)
        for form in forms(message.string)
        if placeholders(form) != placeholders(forms(message.id)[-1])
    ]
    assert not wrong


@each_catalogue
def test_commands_and_options_stay_as_they_are(path: Path) -> None:
    wrong = [
        message.id
        for message in messages(path)
        for form in forms(message.string)
        if any(
            word.strip(",.;:()") not in form
            for word in forms(message.id)[-1].split()
            if word.startswith("--")
        )
    ]
    assert not wrong


@each_catalogue
def test_the_shipped_catalogue_is_compiled_from_it(path: Path) -> None:
    assert path.with_suffix(".mo").read_bytes() == compiled(path), (
        "run 'python -m tools.catalogue compile'"
    )
