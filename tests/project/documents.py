"""The documents of the project, and what they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[2]
READMES = ("README.md", "README.ja.md")
DOCUMENTS = (
    *READMES,
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(str(path.relative_to(TOP)) for path in (TOP / "docs").rglob("*.md")),
)


def text(document: str) -> str:
    """Return the text of a document."""
    return (TOP / document).read_text(encoding="utf-8")


def is_japanese(document: str) -> bool:
    """Whether a document is for readers of Japanese."""
    return document.endswith(".ja.md") or document.startswith("docs/ja/")


def fenced(document: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, text(document), re.MULTILINE | re.DOTALL)


def shown_commands(document: str) -> Iterator[list[str]]:
    """Every geofence command of code blocks, tables and sentences, without sudo."""
    lines = [line for block in fenced(document, "sh") for line in block.splitlines()]
    for block in fenced(document, "console"):
        lines += [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    lines += re.findall(r"`((?:sudo )?geofence [^`]*)`", text(document))
    for line in lines:
        words = shlex.split(line)
        if "geofence" in words[:2]:
            yield words[words.index("geofence") + 1 :]


def heredocs(document: str) -> list[str]:
    """Return the files that a document has its reader write with the shell."""
    return re.findall(r"<<'END'\n(.*?)^END$", text(document), re.MULTILINE | re.DOTALL)


README_RULES = heredocs("README.md")[0]
"""The rules that README has its reader write first."""
