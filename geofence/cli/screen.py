"""Where text for people goes: colours and tables at a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPED_WIDTH = 1_000
"""Columns where no terminal sets a width, so that logs are not folded."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to ``__main__``: that nobody reads on, as after 'head', is no failure."""
        raise BrokenPipeError


class Screen:
    """Standard output for results, standard error for what goes on beside."""

    def __init__(self) -> None:
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)

    @property
    def interactive(self) -> bool:
        """Whether somebody looks at standard error."""
        return self._err.is_terminal

    @property
    def err(self) -> Console:
        """For a progress bar."""
        return self._err

    def say(self, text: str, style: str = "") -> None:
        """A line of the result."""
        self._out.print(Text(text, style=style), soft_wrap=True)

    def note(self, text: str, style: str = "") -> None:
        """A line beside the result: a warning, progress."""
        self._err.print(Text(text, style=style), soft_wrap=True)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
        """A table; headings that begin with ``>`` stand over figures."""
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
            grid.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
        self._out.print(grid)


def print_json(value: object) -> None:
    """The machine's form of a result."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return _Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)
