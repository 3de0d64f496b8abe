"""The library that fills the templates of report and panel."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


def environment(*directories: Path) -> Environment:
    """Return the templates of some directories, and those that report and panel share.

    Whatever comes from rules, lists, names or the kernel is escaped by the library.
    """
    return Environment(
        loader=FileSystemLoader([*directories, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
