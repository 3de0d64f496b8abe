"""Output for people: colours and tables at a terminal, plain lines elsewhere.

rich is imported for tables and progress bars only; a line needs none of it, and ``restore`` at boot
prints only lines.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterable, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console

_PIPED_WIDTH = 1_000
"""Columns where no terminal sets a width, so that logs are not folded."""

Styled = str | tuple[str, str]
"""Text, or text with a style: a colour, ``bold``, or both."""


class Screen:
    """Standard output for results, standard error for warnings and progress."""

    @property
    def interactive(self) -> bool:
        """Whether standard error is a terminal."""
        return sys.stderr.isatty()

    def say(self, text: str, style: str = "") -> None:
        """Print a line of the result."""
        _line(text, style, err=False)

    def note(self, text: str, style: str = "") -> None:
        """Print a line that is not part of the result: a warning, progress."""
        _line(text, style, err=True)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[Styled]]) -> None:
        """Print a table; columns whose heading begins with ``>`` are aligned right."""
        from rich.table import Table
        from rich.text import Text

        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for heading in headings:
            right = heading.startswith(">")
            grid.add_column(
                heading.lstrip(">"),
                justify="right" if right else "left",
                no_wrap=right,
                overflow="fold",
            )
        for row in rows:
            grid.add_row(*(Text(*((cell,) if isinstance(cell, str) else cell)) for cell in row))
        console(stderr=False).print(grid)


_NARROW = "\u0300"
"""Characters before this one take one column each."""


def aligned(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table without styles, its headings first; as ``table`` aligns it.

    It imports nothing: rich takes longer than all that reading 65,536 sources does.
    """
    lines = [[each.lstrip(">") for each in headings], *rows]
    widths = [max(map(columns, cells)) for cells in zip(*lines, strict=True)]
    right = [each.startswith(">") for each in headings]
    return ["  ".join(map(_padded, line, widths, right)).rstrip() for line in lines]


def _padded(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - columns(text))
    return blanks + text if right else text + blanks


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes; Japanese characters take two."""
    if text.isascii() or max(text) < _NARROW:
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrapped(text: str, width: int) -> str:
    """Return a text in lines of at most so many columns; Japanese breaks between characters."""
    from rich.console import Console
    from rich.text import Text

    lines = Text(text).wrap(Console(width=width), width)
    return "\n".join(line.plain.rstrip() for line in lines)


def console(*, stderr: bool) -> Console:
    """Return what rich prints to."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to ``__main__``: it is no failure that 'head' reads no further."""
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return Ours(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def print_json(value: object) -> None:
    """Print JSON; with its escapes where the encoding is not UTF-8."""
    import json

    universal = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not universal) + "\n")


def _line(text: str, style: str, *, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    if style and stream.isatty() and _takes_styles():
        text = _styled(text, style.split())
    try:
        # Not by typer, which writes UTF-8 even where ASCII is asked for.
        stream.write(f"{text}\n")
        stream.flush()
    except BrokenPipeError as error:
        # Without its number, or typer would exit with 1; ``__main__`` exits with 0.
        raise BrokenPipeError from error


def _styled(text: str, words: Sequence[str]) -> str:
    import typer

    colour = next((word for word in words if word != "bold"), None)
    return typer.style(text, fg=colour, bold="bold" in words or None)


def _takes_styles() -> bool:
    """Whether colours are wanted, as far as typer does not check (https://no-color.org)."""
    return "NO_COLOR" not in os.environ and os.environ.get("TERM") not in ("dumb", "unknown")
