"""The verbs: each parses, calls one operation, prints, and gives an exit code.

Operations and views are imported by the verb that uses them, so that none waits for what another
needs.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from geofence import __version__
from geofence.cli.commands import ForReaders, ForRoot, ForStateReaders, Verbs
from geofence.errors import ExitCode, GeofenceError, UsageError

app = typer.Typer(
    name="geofence",
    cls=Verbs,
    help="Only those whom you mean may reach SIP and RTP.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

_DAILY = "Daily life"
_ASK = "Ask"
_MACHINERY = "Machinery"

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]


def main() -> None:
    """Run the command line; every error that is geofence's ends in one sentence and its code."""
    try:
        app()
    except GeofenceError as error:
        for line in (f"geofence: {error}", *getattr(error, "__notes__", ())):
            sys.stderr.write(f"{line}\n")
        sys.exit(error.exit_code)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"geofence {__version__}")
        raise typer.Exit


@app.callback()
def site_options(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    rules_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="GEOFENCE_RULES_DIR", help="Your rules; /etc/geofence/rules.d unless given."
        ),
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="GEOFENCE_STATE_DIR",
            help="Lists and generations; /var/lib/geofence unless given.",
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(envvar="GEOFENCE_BACKEND", help="auto, ipset or nftables; else as ruled."),
    ] = None,
    lock_wait: Annotated[
        float, typer.Option(envvar="GEOFENCE_LOCK_WAIT", help="Seconds to wait for a run.")
    ] = 30.0,
    patience: Annotated[
        float,
        typer.Option(
            envvar="GEOFENCE_PATIENCE", help="Seconds for one source of a list, retries and all."
        ),
    ] = 120.0,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of all verbs."""
    from geofence.cli.arguments import backend_choice, parse_wait
    from geofence.operations.site import RULES_DIRECTORY, STATE_DIRECTORY, Site

    context.obj = Site(
        rules_directory=rules_dir or RULES_DIRECTORY,
        # A slip of the pen is not to shut out all whom the rules would let in.
        rules_required=rules_dir not in (None, RULES_DIRECTORY),
        state_directory=state_dir or STATE_DIRECTORY,
        backend=backend_choice(backend),
        lock_seconds=parse_wait(lock_wait, "--lock-wait"),
        patience=parse_wait(patience, "--patience"),
    )


Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept", metavar="GUARD", help="Let one guard's objection pass, as its message names it."
    ),
]
Cut = Annotated[
    bool, typer.Option("--cut", help="End live flows that the new fence would not let begin.")
]
Compare = Annotated[
    bool,
    typer.Option("--compare-mirrors", help="Fetch each list from all its mirrors and compare."),
]


@app.command(cls=ForReaders, rich_help_panel=_DAILY)
def plan(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Show every prefix, rule and source.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use the lists at hand.")] = False,
    accept: Accept = None,
    compare_mirrors: Compare = False,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            help="Exit with 3 if a guard would refuse it, else with 6 if something would change.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a refresh would change, and change nothing.

    Example: geofence plan --offline, to see what rules that you have edited would do.
    """
    from geofence.cli.progress import watching
    from geofence.cli.views.plan import plan_json, show_plan
    from geofence.operations.mirrors import compared
    from geofence.operations.ssh import ssh_session
    from geofence.operations.status import plan as make_plan
    from geofence.screen import Screen, print_json

    if offline and compare_mirrors:
        raise UsageError("--offline and --compare-mirrors contradict each other; leave one out.")
    screen = Screen()
    with watching(screen) as watch:
        report = make_plan(
            context.obj, offline=offline, accept=accept or (), ssh=ssh_session(), watch=watch
        )
        if compare_mirrors:
            report = report.with_notes(compared(context.obj, watch))
    if as_json:
        print_json(plan_json(report))
    else:
        show_plan(screen, report, full=full)
    if exit_code and report.refusals:
        raise typer.Exit(ExitCode.REFUSED)
    if exit_code and not report.plan.is_empty:
        raise typer.Exit(ExitCode.CHANGES)


@app.command(cls=ForRoot, rich_help_panel=_DAILY)
def refresh(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    accept: Accept = None,
    cut: Cut = False,
    compare_mirrors: Compare = False,
    unattended: Annotated[
        bool,
        typer.Option(
            "--unattended",
            help="Where live connections speak against the change, apply what blocks nobody.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetch the lists, merge, and apply: what runs daily.

    Calls in progress are left to finish, unless --cut is given.

    Example: geofence refresh --accept shrink=JP, if what the guard of that name saw is right.
    """
    from geofence.cli.progress import watching
    from geofence.cli.views.run import finish
    from geofence.operations.commit import Wish
    from geofence.operations.commit import refresh as run
    from geofence.operations.mirrors import compared
    from geofence.operations.outcome import told
    from geofence.operations.ssh import ssh_session
    from geofence.screen import Screen

    screen = Screen()
    site = context.obj
    wish = Wish("refresh", accept or (), ssh_session(), cut=cut, unattended=unattended)
    with watching(screen) as watch:
        report = told(site, "refresh", lambda: run(site, wish, watch))
        if compare_mirrors:
            report = report.with_notes(compared(site, watch))
    finish(screen, report, as_json=as_json)


@app.command(cls=ForRoot, rich_help_panel=_DAILY)
def apply(
    context: typer.Context,
    *,
    accept: Accept = None,
    cut: Cut = False,
    confirm_within: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Return to the former state unless confirmed: 60s, 5m."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Apply the rules with the lists at hand; the network is not asked.

    Example: geofence apply --confirm-within 60s, then geofence confirm from a new connection.
    """
    from geofence.cli.arguments import parse_seconds
    from geofence.cli.views.run import finish
    from geofence.operations.commit import Wish
    from geofence.operations.commit import apply as run
    from geofence.operations.outcome import told
    from geofence.operations.ssh import ssh_session
    from geofence.screen import Screen

    seconds = parse_seconds(confirm_within)
    site = context.obj
    wish = Wish("apply", accept or (), ssh_session(), cut=cut, probation_seconds=seconds)
    report = told(site, "apply", lambda: run(site, wish))
    reminder = f"Run 'geofence confirm' within {seconds} s, or the former state returns."
    finish(Screen(), report, as_json=as_json, reminder=reminder if seconds else "")


@app.command(cls=ForRoot, rich_help_panel=_DAILY)
def confirm(context: typer.Context) -> None:
    """Keep what 'apply --confirm-within' applied.

    Example: geofence confirm, from a new connection, which shows that you are not locked out.
    """
    from geofence.operations.confirm import confirm as run
    from geofence.screen import Screen

    run(context.obj)
    Screen().say("Confirmed: the fence stays.", "green")


@app.command(cls=ForStateReaders, rich_help_panel=_ASK)
def history(context: typer.Context, *, as_json: Json = False) -> None:
    """List what was in force when, why, and how it differed from what was before.

    Example: geofence history, to find the generation that a rollback is to bring back.
    """
    from geofence.cli.views.history import history_json, show_history
    from geofence.operations.history import history as look
    from geofence.screen import Screen, print_json

    found = look(context.obj)
    if as_json:
        print_json(history_json(found))
    else:
        show_history(Screen(), found)


@app.command(cls=ForRoot, rich_help_panel=_DAILY)
def rollback(
    context: typer.Context,
    number: Annotated[
        int | None, typer.Argument(metavar="N", help="A generation; else the one before.")
    ] = None,
    *,
    accept: Accept = None,
    cut: Cut = False,
    as_json: Json = False,
) -> None:
    """Go back to an earlier generation; the next refresh applies the rules again.

    Without N it is the one before what is in force; again, the one before that.

    Example: geofence rollback, to what was before; geofence rollback 7, to generation 7.
    """
    from geofence.cli.views.run import finish
    from geofence.operations.commit import Wish
    from geofence.operations.history import rollback as run
    from geofence.operations.outcome import told
    from geofence.operations.ssh import ssh_session
    from geofence.screen import Screen

    reason = f"rollback {number}" if number else "rollback"
    site, wish = context.obj, Wish(reason, accept or (), ssh_session(), cut=cut)
    report = told(site, "rollback", lambda: run(site, number, wish))
    finish(Screen(), report, as_json=as_json)


@app.command(cls=ForRoot, hidden=True)
def watch_probation(
    context: typer.Context,
    token: str,
    seconds: Annotated[int, typer.Argument(min=0, max=86_400)],
) -> None:
    """Wait, then return to the former state unless it was confirmed; 'apply' starts this."""
    from geofence.operations.confirm import watch

    watch(context.obj, token, seconds)


@app.command(cls=ForRoot, rich_help_panel=_ASK)
def status(
    context: typer.Context,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Show sets, rules, sources and all lists.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the fence: whether it stands, what it turned away, how old its lists are.

    Exits with 1 if there is no fence, or none for IPv4 or IPv6, and with 6 if the kernel differs
    from what was applied; with 2 if the rules do not load, and tells what it can without them.

    Example: geofence status --json, for monitoring.
    """
    from geofence.cli.views.status import show_status, status_json
    from geofence.operations.status import status as look
    from geofence.screen import Screen, print_json

    report = look(context.obj)
    if as_json:
        print_json(status_json(report))
    else:
        show_status(Screen(), report, full=full)
    if report.wrong_rules:
        raise report.wrong_rules
    if report.unfenced:
        raise typer.Exit(ExitCode.FAILED)
    if report.drift or report.generation is None:
        raise typer.Exit(ExitCode.CHANGES)


@app.command(cls=ForReaders, rich_help_panel=_ASK)
def why(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An IPv4 or IPv6 address.")],
    *,
    port: Annotated[
        list[str] | None, typer.Option("--port", metavar="PORT", help="Such as 5060/udp.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell whether an address would get in, and which rule and list decide it.

    Example: geofence why 203.0.113.7 --port 5060/udp --port 5061/tcp
    """
    from geofence.cli.arguments import parse_address, parse_ports
    from geofence.cli.progress import watching
    from geofence.cli.views.why import show_why, why_json
    from geofence.operations.why import why as look
    from geofence.screen import Screen, print_json

    screen, source = Screen(), parse_address(address)
    with watching(screen) as watch:
        report = look(context.obj, source, parse_ports(port or ()), watch)
    if as_json:
        print_json(why_json(source, report))
    else:
        show_why(screen, source, report)


Names = Annotated[
    list[str], typer.Argument(metavar="NAME…", help="Exceptions or groups, such as push-as, bria.")
]


@app.command(cls=ForRoot, rich_help_panel=_DAILY)
def allow(
    context: typer.Context, names: Names, *, accept: Accept = None, as_json: Json = False
) -> None:
    """Let an exception in, from now on.

    It is written down in 99-command-line.toml beside your rules, and applied at once.

    Example: geofence allow push-as, or geofence allow bria for all of that group.
    """
    _switch(context, names, accept, enabled=True, as_json=as_json)


@app.command(cls=ForRoot, rich_help_panel=_DAILY)
def revoke(
    context: typer.Context, names: Names, *, accept: Accept = None, as_json: Json = False
) -> None:
    """Let an exception in no longer; what it has established is cut.

    Example: geofence revoke push-as
    """
    _switch(context, names, accept, enabled=False, as_json=as_json)


def _switch(
    context: typer.Context, names: list[str], accept: Accept, *, enabled: bool, as_json: bool
) -> None:
    from geofence.cli.progress import watching
    from geofence.cli.views.run import finish
    from geofence.operations.allow import switch
    from geofence.operations.outcome import told
    from geofence.operations.ssh import ssh_session
    from geofence.screen import Screen

    screen, ssh, given = Screen(), ssh_session(), accept or ()
    site = replace(context.obj, rules_required=False)  # what is not there is made
    verb = "allow" if enabled else "revoke"
    with watching(screen) as watch:
        report = told(
            site,
            verb,
            lambda: switch(site, tuple(names), watch, enabled=enabled, accept=given, ssh=ssh),
        )
    finish(screen, report, as_json=as_json)


@app.command(cls=ForRoot, rich_help_panel=_MACHINERY)
def restore(context: typer.Context, *, as_json: Json = False) -> None:
    """Bring back the last good fence without network: what runs at boot.

    Example: geofence restore, after somebody has flushed the firewall.
    """
    from geofence.cli.views.run import finish
    from geofence.operations.outcome import told
    from geofence.operations.restore import restore as run
    from geofence.screen import Screen

    site = context.obj
    finish(Screen(), told(site, "restore", lambda: run(site)), as_json=as_json)


@app.command(cls=ForRoot, rich_help_panel=_MACHINERY)
def repair(
    context: typer.Context,
    *,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Unasked: print nothing if nothing was to be done.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Repair what other programs changed: what runs every two minutes.

    Same as restore, but says that the fence was down or changed, counts it, and tells [notify].
    Private networks are then trusted where they are connected or routed now.
    With --quiet, a fence that 'geofence remove' took down since the boot stays down.

    Example: geofence repair --quiet
    """
    from geofence.cli.views.run import finish
    from geofence.operations.repair import repair_and_follow as run
    from geofence.screen import Screen
    from geofence.state.removal import is_removed

    if quiet and is_removed(context.obj.state_directory):
        return
    report = run(context.obj)
    if not (quiet and report.plan.is_empty):
        finish(Screen(), report, as_json=as_json)


_COMES_BACK = """\
It comes back with the next boot, nightly refresh or look of the daemon, unless these are stopped:
  systemctl disable --now geofence-restore.service geofence-reassert.service \
geofence-reassert-late.service geofence-repair.timer geofence-refresh.timer geofence-daemon.service
  rm /etc/cron.d/geofence    (if cron does it)"""


@app.command(cls=ForRoot, rich_help_panel=_MACHINERY)
def remove(context: typer.Context, *, as_json: Json = False) -> None:
    """Take all of geofence out of the kernel; rules and lists on disk stay.

    Example: geofence remove, and geofence apply to have the fence again.
    """
    from geofence.operations.restore import remove as run
    from geofence.screen import Screen, print_json

    removed = run(context.obj)
    if as_json:
        print_json({"removed": list(removed)})
    elif removed:
        Screen().say(f"The fence ({', '.join(removed)}) is gone: there is NO FENCE now.")
        Screen().note(_COMES_BACK)
    else:
        Screen().say("There was no fence.")


@app.command(cls=ForRoot, rich_help_panel=_MACHINERY)
def daemon(
    context: typer.Context,
    *,
    watch: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.1, help="Time between two looks at the fence."),
    ] = 30.0,
) -> None:
    """Stay, refresh daily and watch over the fence; an alternative to cron and systemd timers.

    Example: geofence daemon, which systemd starts by geofence-daemon.service.
    """
    from geofence.cli.arguments import parse_wait
    from geofence.daemon import run

    run(context.obj, parse_wait(watch, "--watch"))


@app.command(rich_help_panel=_ASK)
def demo(context: typer.Context) -> None:
    """See it all work on real packets, in a network of its own; this host is not touched.

    Needs root, or a host that lets users make user namespaces; not the Internet.

    Example: geofence demo
    """
    from geofence.demo import run_demo

    raise typer.Exit(run_demo(context.obj.backend))
