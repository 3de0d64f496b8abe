"""Where text for people goes: colours and tables at a terminal, plain lines elsewhere.

rich is imported for tables and progress bars alone: a line needs none of it, and ``restore`` at
boot prints nothing else.
"""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

_PIPED_WIDTH = 1_000
"""Columns where no terminal sets a width, so that logs are not folded."""

Styled = str | tuple[str, str]
"""Text, or text with a style: a colour, ``bold``, or both."""


class Screen:
    """Standard output for results, standard error for what goes on beside."""

    @property
    def interactive(self) -> bool:
        """Whether somebody looks at standard error."""
        return sys.stderr.isatty()

    def say(self, text: str, style: str = "") -> None:
        """A line of the result."""
        _line(text, style, err=False)

    def note(self, text: str, style: str = "") -> None:
        """A line beside the result: a warning, progress."""
        _line(text, style, err=True)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[Styled]]) -> None:
        """A table; headings that begin with ``>`` stand over figures."""
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


def console(*, stderr: bool) -> Console:
    """What rich prints to."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to ``__main__``: that nobody reads on, as after 'head', is no failure."""
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return Ours(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def print_json(value: object) -> None:
    """The machine's form of a result; JSON's own escapes where the encoding has not all."""
    universal = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not universal) + "\n")


def _line(text: str, style: str, *, err: bool) -> None:
    words = style.split() if _takes_styles() else []
    colour = next((word for word in words if word != "bold"), None)
    styled = typer.style(text, fg=colour, bold="bold" in words or None) if words else text
    try:
        # Not err=err, which would take it upon itself to write UTF-8 where ASCII is asked for.
        typer.echo(styled, file=sys.stderr if err else sys.stdout)
    except BrokenPipeError as error:
        # Without its number, or typer would end with 1; ``__main__`` knows that it is no failure.
        raise BrokenPipeError from error


def _takes_styles() -> bool:
    """What typer does not ask itself (https://no-color.org); pipes it knows."""
    return "NO_COLOR" not in os.environ and os.environ.get("TERM") not in ("dumb", "unknown")
