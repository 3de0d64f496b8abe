"""Mistakes in rules: how one reads, and how all of them are collected.

A reader of one value raises ``Mistake``; the caller, who knows where the value stands, adds the
file and the line. All mistakes together become one ``RulesError`` with a line each::

    FILE:LINE: KEY: what is wrong; expected …[; did you mean …?]
"""

from __future__ import annotations

from geofence.errors import RulesError
from geofence.model.policy import Origin
from geofence.spelling import one_of, printable
from geofence.translation import edit, join, tr

MOST_SHOWN = 100
"""More mistakes than these in one message are not more helpful."""


class Mistake(ValueError):  # noqa: N818 - a mistake in the rules, not an error of the program
    """A value is not what its key takes; the caller adds where it stands."""

    def __init__(self, wrong: str, expected: str, *guesses: str) -> None:
        """Put the message together.

        Args:
            wrong: what is wrong with the value.
            expected: what the key takes; follows "expected".
            guesses: what was probably meant.
        """
        # Names that rules define are shown as they stand there, even if they are not printable.
        super().__init__(edit(printable, _message(wrong, expected, guesses)))
        self.expected = expected
        self.guesses = guesses


def _message(wrong: str, expected: str, guesses: tuple[str, ...]) -> str:
    if not guesses:
        # Translators: a mistake in the rules: what is wrong with a value, and what it may be.
        return tr("{wrong}; expected {expected}", wrong=wrong, expected=expected)
    return tr(
        "{wrong}; expected {expected}; did you mean {guesses}?",
        wrong=wrong,
        expected=expected,
        guesses=one_of(guesses),
    )


class Problems:
    """The mistakes found so far."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int, str]] = []

    def add(self, place: Origin | str, mistake: Mistake, about: str = "") -> None:
        """Note a mistake.

        Args:
            place: file and line, or the file alone if the mistake has no line.
            mistake: what is wrong and what was expected.
            about: the key whose value it is; empty if the mistake says so itself.

        Raises:
            RulesError: there are so many mistakes that more would not help.
        """
        file, line = (place, 0) if isinstance(place, str) else (place.file, place.line)
        parts = (str(place), about, str(mistake)) if about else (str(place), str(mistake))
        self._found.append((file, line, join(": ", parts)))
        if len(self._found) >= MOST_SHOWN:
            self.raise_any()

    def join(self, others: Problems) -> None:
        """Add the mistakes that were found apart."""
        self._found += others._found

    @property
    def none(self) -> bool:
        """Whether no mistake was found."""
        return not self._found

    def raise_any(self) -> None:
        """Report what was found.

        Raises:
            RulesError: there are mistakes; one line each, by file and line, each only once.
        """
        lines = [text for _file, _line, text in sorted(self._found)]
        if len(lines) >= MOST_SHOWN:
            lines.append(
                tr("These are the first {number} mistakes; there may be more.", number=MOST_SHOWN)
            )
        if lines:
            raise RulesError(join("\n", dict.fromkeys(lines)))
