"""The command itself: its help, and the installation that its options name."""

from __future__ import annotations

import typer

from geofence.cli.commands import Verbs
from geofence.cli.options import Backend, BpfDir, LockWait, Patience, RulesDir, StateDir, Version
from geofence.translation import tr

app = typer.Typer(
    name="geofence",
    cls=Verbs,
    help=tr("GeoIP allowlist firewall for SIP and RTP."),
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback()
def site_options(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    rules_dir: RulesDir = None,
    state_dir: StateDir = None,
    backend: Backend = None,
    bpf_dir: BpfDir = None,
    lock_wait: LockWait = 30.0,
    patience: Patience = 120.0,
    _version: Version = False,
) -> None:
    """Take the options of all verbs."""
    from geofence.cli.arguments import backend_choice, parse_wait
    from geofence.cli.state_path import state_path
    from geofence.operations.site import BPF_DIRECTORY, RULES_DIRECTORY, STATE_DIRECTORY, Site

    context.obj = Site(
        rules_directory=rules_dir or RULES_DIRECTORY,
        # A misspelt directory would otherwise count as empty, and the shipped rules alone apply.
        rules_required=rules_dir not in (None, RULES_DIRECTORY),
        state_directory=state_path(state_dir or STATE_DIRECTORY),
        backend=backend_choice(backend),
        bpf_directory=bpf_dir or BPF_DIRECTORY,
        lock_seconds=parse_wait(lock_wait, "--lock-wait"),
        patience=parse_wait(patience, "--patience"),
    )
