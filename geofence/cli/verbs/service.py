"""Verbs that units run, and the one that undoes them: restore, repair, remove, daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geofence.cli.commands import ForRoot, ForStateReaders
from geofence.cli.options import Accept, Json, TargetName
from geofence.cli.root import app
from geofence.errors import ExitCode, UsageError
from geofence.screen import Screen, print_json
from geofence.translation import tr

PANEL = tr("Service")

_UNITS = (
    "geofence-restore.service geofence-reassert.service geofence-reassert-late.service "
    "geofence-repair.timer geofence-refresh.timer geofence-names.timer geofence-report.timer "
    "geofence-daemon.service geofence-shield.service"
)
"""All that can be enabled."""


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Restore the last good fence without network. It runs at boot.\n\n"
        "Example: geofence restore, after another program flushed the firewall."
    ),
)
def restore(
    context: typer.Context,
    *,
    accept: Accept = None,
    target: TargetName = None,
    as_json: Json = False,
) -> None:
    """Restore the last good fence."""
    if target:
        from geofence.cli import targets

        targets.restore(context.obj, target, accept or (), as_json=as_json)
        return
    if accept:
        raise UsageError(tr("restore has no checks to override here; --accept needs --target."))
    from geofence.cli.running import run
    from geofence.operations.restore import restore as operation

    site = context.obj
    run(site, "restore", lambda: operation(site), as_json=as_json)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Repair the fence if other programs changed it.\n\n"
        "A timer runs it every two minutes. Unlike restore, it says what differed, counts repairs "
        "and runs the notify command. It also trusts private networks where they are connected or "
        "routed now.\n\n"
        "With --quiet, a fence that 'geofence remove' took down since the boot stays down.\n\n"
        "Example: geofence repair --quiet"
    ),
)
def repair(
    context: typer.Context,
    *,
    quiet: Annotated[
        bool, typer.Option("--quiet", help=tr("For timers: print nothing if nothing differed."))
    ] = False,
    as_json: Json = False,
) -> None:
    """Repair the fence if other programs changed it."""
    from geofence.cli.views.run import finish
    from geofence.operations.repair import repair_and_follow
    from geofence.state.removal import is_removed

    if quiet and is_removed(context.obj.state_directory):
        return
    report = repair_and_follow(context.obj)
    if not (quiet and report.plan.is_empty):
        finish(Screen(), report, as_json=as_json)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Remove the fence from the kernel. Rules and lists on disk stay.\n\n"
        "Example: geofence remove, then geofence apply to have the fence again."
    ),
)
def remove(context: typer.Context, *, target: TargetName = None, as_json: Json = False) -> None:
    """Remove the fence from the kernel."""
    if target:
        from geofence.cli import targets

        targets.remove(context.obj, target, as_json=as_json)
        return
    from geofence.operations.remove import remove as operation

    removed = operation(context.obj)
    if as_json:
        print_json({"removed": list(removed)})
    elif removed:
        _tell_removed(Screen(), removed)
    else:
        Screen().say(tr("There was no fence to remove."))


def _tell_removed(screen: Screen, backends: tuple[str, ...]) -> None:
    screen.say(
        tr(
            "Removed the fence ({backends}). There is NO FENCE now.",
            backends=", ".join(backends),
        )
    )
    screen.note(tr("The next boot, refresh or daemon check brings it back. To prevent that, run:"))
    screen.note(f"  systemctl disable --now {_UNITS}")
    # Translators: the command line before the parenthesis stays as it is.
    screen.note(tr("  rm /etc/cron.d/geofence    (if you use cron)"))


@app.command(
    cls=ForStateReaders,
    rich_help_panel=PANEL,
    help=tr(
        "Sign the stored lists for other hosts, and write them where a web server gives them.\n\n"
        "\\[mirror] in the rules names the directory and the key. Each refresh does the same. "
        "Other hosts verify them with \\[source.mirror].\n\n"
        "Example: geofence mirror --new-key /etc/geofence/mirror.key"
    ),
)
def mirror(
    context: typer.Context,
    *,
    key: Annotated[
        Path | None,
        typer.Option("--new-key", metavar="FILE", help=tr("Only make a key, in this new file.")),
    ] = None,
    as_json: Json = False,
) -> None:
    """Sign the stored lists for other hosts."""
    from geofence.cli.views import mirror as view
    from geofence.operations.mirror import make_key, publish

    if key is not None:
        path = key.absolute()
        made = make_key(path)
        if as_json:
            print_json(view.key_json(path, made))
        else:
            view.show_key(Screen(), path, made)
        return
    published = publish(context.obj)
    if as_json:
        print_json(view.mirror_json(published))
    else:
        view.show_mirror(Screen(), published)


@app.command(
    cls=ForStateReaders,
    rich_help_panel=PANEL,
    help=tr(
        "Send a test message to everybody who is told of failures.\n\n"
        "They are told by a mail, a webhook or a program ([notify]). Exit code 1: a message could "
        "not be sent.\n\n"
        "Example: geofence notify --test"
    ),
)
def notify(
    context: typer.Context,
    *,
    test: Annotated[bool, typer.Option("--test", help=tr("Send a test message."))] = False,
    as_json: Json = False,
) -> None:
    """Send a test to those who are told of failures."""
    from geofence.cli.views.notify import show_told, told_json
    from geofence.operations.notify import send_test

    if not test:
        raise UsageError(tr("'geofence notify' needs --test; geofence itself tells of failures."))
    told = send_test(context.obj)
    if as_json:
        print_json(told_json(told))
    else:
        show_told(Screen(), told)
    if any(each.failures for each in told):
        raise typer.Exit(ExitCode.FAILED)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Keep the shield up: a BPF program that drops packets before the fence.\n\n"
        "It runs in the foreground. The rules must have 'enabled = true' in [shield]. When it ends "
        "it takes the shield down; the fence stays.\n\n"
        "Example: geofence shield, which geofence-shield.service runs."
    ),
)
def shield(
    context: typer.Context,
    *,
    down: Annotated[bool, typer.Option("--down", help=tr("Take the shield down and end."))] = False,
) -> None:
    """Keep the shield up until told to end."""
    if down:
        from geofence.operations.shield import remove_shield

        remove_shield(context.obj)
        Screen().say(tr("The shield is down. The fence decides every packet."))
        return
    from geofence.shield_daemon import run

    run(context.obj)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Run in the foreground: refresh daily and repair the fence.\n\n"
        "It replaces the timers, or cron. With --follow-rules, it also applies your rules whenever "
        "they change: for a pod, whose rules are a ConfigMap.\n\n"
        "Example: geofence daemon, which geofence-daemon.service runs."
    ),
)
def daemon(
    context: typer.Context,
    *,
    watch: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.1, help=tr("Seconds between checks.")),
    ] = 30.0,
    follow_rules: Annotated[
        bool,
        typer.Option("--follow-rules", help=tr("Apply the rules whenever their files change.")),
    ] = False,
) -> None:
    """Refresh daily and repair the fence until told to end."""
    from geofence.cli.arguments import parse_wait
    from geofence.daemon import run

    run(context.obj, parse_wait(watch, "--watch"), following=follow_rules)
