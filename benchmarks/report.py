"""Results as a person reads them, and as RESULTS.md keeps them."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.measure import Cost


def heading(text: str, *notes: str) -> None:
    """A section of the report, with what was measured."""
    print(f"\n## {text}\n", flush=True)
    for note in notes:
        print(f"{note}\n", flush=True)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A Markdown table whose columns line up."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print("\n".join(lines), flush=True)


def costs(measured: dict[str, Cost], reference: str) -> None:
    """Processes side by side, as ratios of one of them."""
    base = measured[reference]
    table(
        ("process", "time", "ratio", "processor time", "ratio", "peak memory"),
        (
            (
                name,
                f"{cost.typical * 1000:.0f} ms",
                f"{cost.typical / base.typical:.2f}",
                f"{cost.work * 1000:.0f} ms",
                f"{cost.work / base.work:.2f}",
                f"{cost.peak:.0f} MB",
            )
            for name, cost in measured.items()
        ),
    )


def machine() -> str:
    """The machine in one line."""
    models = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    memory = int(_lines("/proc/meminfo")[0].split()[1]) // 2**20
    return (
        f"{os.cpu_count()} cores of {model}, {memory} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {_version('ipset')}, {_version('nft')}, "
        f"{_version('iptables')}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.splitlines()[0].partition(", protocol")[0]
