"""Options that several verbs take."""

from __future__ import annotations

from typing import Annotated

import typer

from geofence.translation import tr

Json = Annotated[bool, typer.Option("--json", help=tr("Print JSON for scripts instead of text."))]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="NAME",
        help=tr("Override one safety check, e.g. shrink=JP (the check's message names it)."),
    ),
]
Cut = Annotated[
    bool,
    typer.Option(
        "--cut",
        help=tr("Also drop established connections that the new rules forbid."),
    ),
]
Compare = Annotated[
    bool,
    typer.Option(
        "--compare-mirrors",
        help=tr("Download each list from all its mirrors and compare them."),
    ),
]
