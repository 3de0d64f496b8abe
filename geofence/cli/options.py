"""Options of the command, which come before a verb, and options that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geofence import __version__
from geofence.translation import tr


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"geofence {__version__}")
        raise typer.Exit


RulesDir = Annotated[
    Path | None,
    typer.Option(
        envvar="GEOFENCE_RULES_DIR",
        metavar="PATH",
        help=tr("Directory of your rules (default: /etc/geofence/rules.d)."),
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        envvar="GEOFENCE_STATE_DIR",
        metavar="PATH",
        help=tr("Directory of stored lists and generations (default: /var/lib/geofence)."),
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        envvar="GEOFENCE_BACKEND",
        metavar="NAME",
        help=tr("Firewall backend: auto, ipset or nftables (overrides the rules)."),
    ),
]
BpfDir = Annotated[
    Path | None,
    typer.Option(
        envvar="GEOFENCE_BPF_DIR",
        metavar="PATH",
        hidden=True,
        help=tr("Where the BPF file system is mounted (default: /sys/fs/bpf)."),
    ),
]
LockWait = Annotated[
    float,
    typer.Option(
        envvar="GEOFENCE_LOCK_WAIT",
        metavar="SECONDS",
        help=tr("Seconds to wait for another geofence process to finish."),
    ),
]
Patience = Annotated[
    float,
    typer.Option(
        envvar="GEOFENCE_PATIENCE",
        metavar="SECONDS",
        help=tr("Time limit in seconds per list source, retries included."),
    ),
]
Version = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_print_version,
        is_eager=True,
        help=tr("Print the version and exit."),
    ),
]

AsteriskDir = Annotated[
    Path | None,
    typer.Option(
        "--asterisk-dir",
        envvar="GEOFENCE_ASTERISK_DIR",
        metavar="DIR",
        help=tr("Directory of Asterisk's configuration (default: /etc/asterisk)."),
    ),
]
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
TargetName = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help=tr("The cluster of \\[target.NAME] in the rules, instead of this host."),
    ),
]
ConfirmWithin = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help=tr("Restore the previous fence unless confirmed in time: 60s, 5m."),
    ),
]
