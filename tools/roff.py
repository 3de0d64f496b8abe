"""Text as roff, the language of manual pages."""

from __future__ import annotations

import re

_QUOTED = re.compile(r"(?<!\w)'([^']+)'(?!\w)")

_BREAKS = re.compile("[、。\N{FULLWIDTH RIGHT PARENTHESIS}](?=.)")
"""After these a line may end: Japanese has no blanks."""


def escaped(text: str) -> str:
    """Return a text on one line, in which nothing is a command of roff."""
    plain = _on_one_line(text).replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    plain = plain.replace("^", "\\(ha").replace("~", "\\(ti").replace("`", "\\(ga")
    return f"\\&{plain}" if plain.startswith(".") else plain


def bold(text: str) -> str:
    """Return what is typed as it stands."""
    return f"\\fB{escaped(text)}\\fR"


def italic(text: str) -> str:
    """Return what stands for something."""
    return f"\\fI{escaped(text)}\\fR"


def inline(text: str) -> str:
    """Return a sentence; commands and names in single quotes become bold."""
    parts = _QUOTED.split(_on_one_line(text))
    parts[::2] = [_BREAKS.sub(r"\g<0>\\:", escaped(part)) for part in parts[::2]]
    line = "".join(bold(part) if number % 2 else part for number, part in enumerate(parts))
    return line if not line.startswith(".") else f"\\&{line}"


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
