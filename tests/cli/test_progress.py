"""The progress of downloads at a terminal of 80 columns."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from geofence.cli import progress, progress_bar
from geofence.fetch.events import Failed, Finished, Received, Retrying, Started
from geofence.model.lists import ListId, ListKind
from geofence.screen import Screen

LONG = ListId(ListKind.HOST, "a-host-whose-name-is-as-long-as-a-name-may-be.example.com")
WHY = "It gave " + "far too long a reason, " * 10 + "answered 503 [/bold] (Busy)."


class Terminal(Screen):
    """A screen that somebody looks at."""

    @property
    def interactive(self) -> bool:
        return True


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the terminal gets."""
    out = io.StringIO()
    console = Console(
        file=out, width=80, force_terminal=True, color_system=None, markup=False, highlight=False
    )
    monkeypatch.setattr(progress_bar, "console", lambda *, stderr: console if stderr else None)
    return out


def test_a_long_reason_and_a_long_name_leave_the_bar_its_place(out: io.StringIO) -> None:
    with progress.watching(Terminal()) as watch:
        for _ in range(120):
            watch(Started(LONG))
        watch(Received(LONG, 1 << 30))
        watch(Retrying(LONG, WHY, 0.5))
        watch(Finished(LONG, Failed("")))
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "\n", out.getvalue()).split("\n")
    assert all(len(line) <= 80 for line in lines)
    assert "answered 503 [/bold] (Busy); retrying in 0.5 s" in " ".join(" ".join(lines).split())
    bars = [line.rstrip() for line in lines if "KiB" in line]
    # Without colours, what is missing of a bar is blank.
    assert bars[0].startswith("Fetching ━━━━━━━━━━━━━━━━━━━━ 0/0 lists")
    assert bars[-1].startswith("Fetching" + " " * 22 + "1/120 lists, 1,048,576 KiB host ")
    assert bars[-1].endswith("…")


def test_without_a_terminal_only_problems_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.watching(Screen()) as watch:
        watch(Started(LONG))
        watch(Retrying(LONG, WHY, 0.5))
        watch(Finished(LONG, Failed("")))
    assert capsys.readouterr().err == f"{LONG}: {WHY.removesuffix('.')}; retrying in 0.5 s\n"
