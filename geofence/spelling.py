"""Words as people type them and as messages show them: guesses, quotes, harmless characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from geofence.translation import tr, trn

_MOST_GUESSES = 3
_AS_WELL = 0.05
"""By how much a guess may be less like the word than the best one."""
_LONGEST_SHOWN = 60
"""Characters of a wrong value that a message repeats."""


def nearest(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the known word that is most like a misspelt one; nothing if none is.

    Case does not count, and neither do ``_`` for ``-`` and blanks around the word.
    """
    from difflib import get_close_matches

    by_folded = {_folded(name): name for name in known}
    if len(word) > _LONGEST_SHOWN:
        return ()
    return tuple(by_folded[match] for match in get_close_matches(_folded(word), by_folded, n=1))


def likeliest(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the known words that a misspelt one may stand for, the nearest first.

    As ``nearest``, but it does not decide between ``push-as`` and ``push-za`` for ``push-sa``.
    """
    from difflib import SequenceMatcher, get_close_matches

    by_folded = {_folded(name): name for name in known}
    if len(word) > _LONGEST_SHOWN:
        return ()
    folded = _folded(word)
    found = get_close_matches(folded, by_folded, n=_MOST_GUESSES)
    ratios = [SequenceMatcher(None, folded, each).ratio() for each in found]
    return tuple(
        by_folded[each]
        for each, ratio in zip(found, ratios, strict=True)
        if ratio > ratios[0] - _AS_WELL
    )


def plain(text: str) -> str:
    """Return the text in ASCII where it has full-width letters, as Japanese input methods give."""
    return unicodedata.normalize("NFKC", text)


def _folded(word: str) -> str:
    return word.strip().casefold().replace("_", "-")


def one_of(known: Iterable[str]) -> str:
    """Return ``a, b or c``."""
    *others, last = known
    if not others:
        return last
    # Translators: the end of a list of choices, as in "ipset, nftables or auto".
    return tr("{others} or {last}", others=", ".join(others), last=last)


def listed(names: Sequence[str], most: int) -> str:
    """Return ``a, b and 3 more``.

    Args:
        names: what to list.
        most: how many of them to show.
    """
    shown, rest = ", ".join(names[:most]), len(names) - most
    if rest <= 0:
        return shown
    # Translators: the end of a list that was cut short, as in "a, b and 3 more".
    return trn(rest, "{names} and {number} more", "{names} and {number} more", names=shown)


def printable(text: str) -> str:
    r"""Return the text with what a terminal would obey or not show written as ``\x1b``."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def without_secrets(text: str) -> str:
    """Return a value without what may be secret in a URL: user, password, query and fragment.

    Messages about rules are logged and passed to the hook, and a URL may stand under any key.
    """
    return re.sub(r"([?#]).+", r"\1…", re.sub(r"(://)[^/]*@", r"\1…@", text), flags=re.DOTALL)


def quoted(text: str) -> str:
    """Return a string as a message shows it: in quotes, harmless, without secrets, not too long."""
    public = without_secrets(text)
    shown = printable(public if len(public) <= _LONGEST_SHOWN else f"{public[:_LONGEST_SHOWN]}…")
    return f'"{shown}"'
