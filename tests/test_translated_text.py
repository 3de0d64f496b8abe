"""Messages of which the English is still known once they are part of others."""

from __future__ import annotations

import pytest

from geofence import translation
from geofence.errors import ListError
from geofence.translation import Text, edit, english, join, tr


class Shouting:
    """A catalogue that needs no file."""

    def gettext(self, message: str) -> str:
        return message.upper().replace("{NAME}", "{name}").replace("{ERROR}", "{error}")


@pytest.fixture(autouse=True)
def _catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "_catalogue", Shouting)


def test_a_message_knows_its_english() -> None:
    assert (tr("not {name}", name="x"), english(tr("not {name}", name="x"))) == ("NOT x", "not x")


def test_text_equal_to_its_english_is_plain() -> None:
    assert type(tr("{name}", name="x")) is str


def test_an_errors_text_knows_it() -> None:
    assert english(str(ListError(tr("it failed")))) == "it failed"


def test_a_value_keeps_its_english() -> None:
    inner = ListError(tr("it failed"))
    for value in (inner, str(inner)):
        outer = tr("{error}", error=value)
        assert (outer, english(outer)) == ("IT FAILED", "it failed")


def test_joined_and_edited_messages_know_it() -> None:
    both = join("; ", (tr("one"), "2"))
    assert (both, english(both)) == ("ONE; 2", "one; 2")
    short = edit(lambda text: text[:-1], tr("one"))
    assert (short, english(short)) == ("ON", "on")
    assert isinstance(short, Text)
