"""Verbs for history and safety: confirm, history, rollback."""

from __future__ import annotations

from typing import Annotated

import typer

from geofence.cli.commands import ForRoot, ForStateReaders
from geofence.cli.options import Accept, Cut, Json, TargetName
from geofence.cli.root import app
from geofence.screen import Screen, print_json
from geofence.translation import tr

PANEL = tr("History and safety")


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Keep the fence that 'apply --confirm-within' applied.\n\n"
        "Example: geofence confirm, from a new connection, which shows that you are not locked out."
    ),
)
def confirm(context: typer.Context) -> None:
    """Keep the fence that waits to be confirmed."""
    from geofence.operations.confirm import confirm as operation

    operation(context.obj)
    Screen().say(tr("Confirmed: the fence is kept."), "green")


@app.command(
    cls=ForStateReaders,
    rich_help_panel=PANEL,
    help=tr(
        "List the generations: when and why they came, what they changed.\n\n"
        "Example: geofence history, to find the generation for a rollback."
    ),
)
def history(context: typer.Context, *, target: TargetName = None, as_json: Json = False) -> None:
    """List the generations."""
    from geofence.cli.views.history import history_json, show_history
    from geofence.operations.history import history as operation

    site = context.obj
    if target:
        from geofence.cli import targets

        site = targets.history(site, target)
    found = tuple(operation(site))
    if as_json:
        print_json(history_json(found))
    else:
        show_history(Screen(), found)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Go back to an earlier generation, until the next refresh or apply.\n\n"
        "Without N, it is the generation before the current one. Repeat it to go back further.\n\n"
        "Example: geofence rollback, or geofence rollback 7 for generation 7."
    ),
)
def rollback(  # noqa: PLR0913 - an option each
    context: typer.Context,
    number: Annotated[
        int | None,
        typer.Argument(
            metavar="N", help=tr("A generation (default: the one before the current one).")
        ),
    ] = None,
    *,
    accept: Accept = None,
    cut: Cut = False,
    target: TargetName = None,
    as_json: Json = False,
) -> None:
    """Go back to an earlier generation."""
    if target:
        from geofence.cli import targets

        targets.without({"--cut": cut})
        targets.rollback(context.obj, target, number, accept or (), as_json=as_json)
        return
    from geofence.cli.running import run
    from geofence.operations import commit, ssh
    from geofence.operations.rollback import rollback as operation

    reason = f"rollback {number}" if number else "rollback"
    site, wish = context.obj, commit.Wish(reason, accept or (), ssh.ssh_session(), cut=cut)
    run(site, "rollback", lambda: operation(site, number, wish), as_json=as_json)


@app.command(cls=ForRoot, hidden=True)
def watch_probation(
    context: typer.Context,
    token: str,
    seconds: Annotated[int, typer.Argument(min=0, max=86_400)],
) -> None:
    """Wait, then restore the previous fence unless it was confirmed; 'apply' starts this."""
    from geofence.operations.confirm import watch

    watch(context.obj, token, seconds)
