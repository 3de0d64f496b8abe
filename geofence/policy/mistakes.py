"""Mistakes in rules: how one is told, and how all of them are collected.

A reader of one value raises ``Mistake``; whoever knows where the value stands adds the file and the
line. All mistakes together become one ``RulesError`` with a line each::

    FILE:LINE: what is wrong; expected …[; did you mean …?]
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from geofence.errors import RulesError
from geofence.model.policy import Origin

MOST_SHOWN = 100
"""More mistakes than these in one go are no more helpful than these."""

_MOST_GUESSES = 3
_AS_WELL = 0.05
"""By how much a guess may be less like the word than the best one."""
_LONGEST_SHOWN = 60
"""Characters of a wrong value that a message repeats."""


class Mistake(ValueError):  # noqa: N818 - a mistake in the rules, not an error of the program
    """A value is not what its key takes; where it stands is added by the caller."""

    def __init__(self, wrong: str, expected: str, *guesses: str) -> None:
        guess = f"; did you mean {' or '.join(guesses)}?" if guesses else ""
        # Names that rules define are told as they stand there, be they names or not.
        super().__init__(printable(f"{wrong}; expected {expected}{guess}"))
        self.expected = expected
        self.guesses = guesses


class Problems:
    """The mistakes found so far."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int, str]] = []

    def add(self, place: Origin | str, mistake: Mistake, about: str = "") -> None:
        """Take note of a mistake.

        Args:
            place: file and line, or only the file where no line of it is wrong.
            mistake: what is wrong and what was expected.
            about: the key whose value it is, for what does not say so itself.

        Raises:
            RulesError: so many were found that more would not help.
        """
        file, line = (place, 0) if isinstance(place, str) else (place.file, place.line)
        text = f"{about}: {mistake}" if about else f"{mistake}"
        self._found.append((file, line, f"{place}: {text}"))
        if len(self._found) >= MOST_SHOWN:
            self.raise_any()

    def raise_any(self) -> None:
        """Report what was found.

        Raises:
            RulesError: something was; one line each, by file and line, each only once.
        """
        lines = [text for _file, _line, text in sorted(self._found)]
        if len(lines) >= MOST_SHOWN:
            lines.append(f"These are the first {MOST_SHOWN} mistakes found; there may be more.")
        if lines:
            raise RulesError("\n".join(dict.fromkeys(lines)))


def nearest(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """The known word that is most like a misspelt one; empty if none is.

    Case does not count, and neither do ``_`` for ``-`` and blanks around the word.
    """
    from difflib import get_close_matches

    spelt = {_folded(name): name for name in known}
    if len(word) > _LONGEST_SHOWN:
        return ()
    return tuple(spelt[match] for match in get_close_matches(_folded(word), spelt, n=1))


def likeliest(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """The known words that a misspelt one may be about as well, the nearest first.

    As ``nearest``, but it does not decide between ``push-as`` and ``push-za`` for ``push-sa``.
    """
    from difflib import SequenceMatcher, get_close_matches

    spelt = {_folded(name): name for name in known}
    if len(word) > _LONGEST_SHOWN:
        return ()
    folded = _folded(word)
    found = get_close_matches(folded, spelt, n=_MOST_GUESSES)
    ratios = [SequenceMatcher(None, folded, each).ratio() for each in found]
    return tuple(
        spelt[each]
        for each, ratio in zip(found, ratios, strict=True)
        if ratio > ratios[0] - _AS_WELL
    )


def plain(text: str) -> str:
    """The text in ASCII where it has full-width letters, as Japanese input methods give."""
    return unicodedata.normalize("NFKC", text)


def _folded(word: str) -> str:
    return word.strip().casefold().replace("_", "-")


def one_of(known: Iterable[str]) -> str:
    """``a, b or c``, for messages."""
    *others, last = known
    return f"{', '.join(others)} or {last}" if others else last


def printable(text: str) -> str:
    r"""The text with whatever a terminal would obey or not show written as ``\x1b`` or the like."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def without_secrets(text: str) -> str:
    """A value without what only URLs have and may be secret: user, password, query and fragment.

    What is said of rules is logged and told to the hook, and a URL may stand where none belongs.
    """
    return re.sub(r"([?#]).+", r"\1…", re.sub(r"(://)[^/]*@", r"\1…@", text), flags=re.DOTALL)


def quoted(text: str) -> str:
    """A string as a message shows it: in quotes, harmless, without secrets, not too long."""
    public = without_secrets(text)
    shown = printable(public if len(public) <= _LONGEST_SHOWN else f"{public[:_LONGEST_SHOWN]}…")
    return f'"{shown}"'
