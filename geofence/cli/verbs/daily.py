"""Verbs for daily use: plan, refresh, apply, status, why, atlas."""

from __future__ import annotations

import sys
from collections.abc import Collection
from functools import partial
from typing import Annotated

import typer

from geofence.cli.commands import ForReaders, ForRoot, ForStateReaders
from geofence.cli.options import Accept, Compare, ConfirmWithin, Cut, Json, TargetName
from geofence.cli.root import app
from geofence.errors import ExitCode, UsageError
from geofence.screen import Screen, print_json
from geofence.translation import tr

PANEL = tr("Daily use")


@app.command(
    cls=ForReaders,
    rich_help_panel=PANEL,
    help=tr(
        "Show what a refresh would change; change nothing.\n\n"
        "Example: geofence plan --offline, to see what edited rules would do."
    ),
)
def plan(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    full: Annotated[
        bool, typer.Option("--full", help=tr("Show every prefix, rule and source."))
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help=tr("Use the stored lists; download nothing."))
    ] = False,
    accept: Accept = None,
    compare_mirrors: Compare = False,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            help=tr("Exit with 3 if a check refuses the plan, or with 6 if it has changes."),
        ),
    ] = False,
    target: TargetName = None,
    as_json: Json = False,
) -> None:
    """Show what a refresh would change."""
    if target:
        from geofence.cli import targets

        targets.without({"--compare-mirrors": compare_mirrors})
        targets.plan(
            context.obj,
            target,
            offline=offline,
            accept=accept or (),
            full=full,
            exit_code=exit_code,
            as_json=as_json,
        )
        return
    from geofence.cli.progress import watching
    from geofence.cli.views.plan import finish_plan
    from geofence.operations import mirrors, ssh
    from geofence.operations.plan import plan as operation

    if offline and compare_mirrors:
        raise UsageError(tr("--offline and --compare-mirrors exclude each other; use one of them."))
    screen = Screen()
    with watching(screen) as watch:
        report = operation(
            context.obj, offline=offline, accept=accept or (), ssh=ssh.ssh_session(), watch=watch
        )
        if compare_mirrors:
            report = report.with_notes(mirrors.compared(context.obj, watch))
    finish_plan(screen, report, full=full, as_json=as_json, exit_code=exit_code)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Download the lists and apply the rules. A timer runs it daily.\n\n"
        "Calls in progress continue, unless --cut is given.\n\n"
        "With --names-only, it only resolves the names of exceptions and applies their addresses. "
        "A timer runs it every two minutes.\n\n"
        "Example: geofence refresh --accept shrink=JP, if the check refused a list that is right."
    ),
)
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
            help=tr("For timers: apply only what blocks nobody who is connected now."),
        ),
    ] = False,
    names_only: Annotated[
        bool,
        typer.Option(
            "--names-only",
            help=tr("Resolve the names of exceptions; download no list, apply no edited rule."),
        ),
    ] = False,
    confirm_within: ConfirmWithin = None,
    target: TargetName = None,
    as_json: Json = False,
) -> None:
    """Download the lists and apply the rules."""
    if target:
        from geofence.cli import targets

        targets.without(
            {
                "--cut": cut,
                "--compare-mirrors": compare_mirrors,
                "--names-only": names_only,
                "--confirm-within": confirm_within,
            }
        )
        targets.refresh(context.obj, target, accept or (), as_json=as_json)
        return
    if names_only:
        if confirm_within:
            raise UsageError(
                tr(
                    "{one} and {other} exclude each other; use one of them.",
                    one="--names-only",
                    other="--confirm-within",
                )
            )
        if cut or compare_mirrors:
            raise UsageError(
                tr("--names-only excludes --cut and --compare-mirrors; leave one of them out.")
            )
        _refresh_names(context, accept or (), unattended=unattended, as_json=as_json)
        return
    from geofence.cli import refreshing
    from geofence.cli.arguments import parse_seconds
    from geofence.operations import commit, ssh

    wish = commit.Wish(
        "refresh",
        accept or (),
        ssh.ssh_session(),
        cut=cut,
        unattended=unattended,
        confirm_seconds=parse_seconds(confirm_within),
    )
    refreshing.refresh(context.obj, wish, compare_mirrors=compare_mirrors, as_json=as_json)


def _refresh_names(
    context: typer.Context, accept: Collection[str], *, unattended: bool, as_json: bool
) -> None:
    """Resolve the names of exceptions; a timer's run that changes nothing prints only problems."""
    from geofence.cli.views.run import finish, tell_notes
    from geofence.operations import commit, ssh
    from geofence.operations.names import refresh_names

    screen = Screen()
    wish = commit.Wish("refresh --names-only", accept, ssh.ssh_session(), unattended=unattended)
    report = refresh_names(context.obj, wish)
    if unattended and report.plan.is_empty and not as_json:
        tell_notes(screen, report)
    else:
        finish(screen, report, as_json=as_json)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Apply the rules with the stored lists; download nothing.\n\n"
        "Example: geofence apply --confirm-within 60s, then geofence confirm from a new connection."
    ),
)
def apply(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    accept: Accept = None,
    cut: Cut = False,
    confirm_within: ConfirmWithin = None,
    target: TargetName = None,
    as_json: Json = False,
) -> None:
    """Apply the rules with the stored lists."""
    if target:
        from geofence.cli import targets

        targets.without({"--cut": cut, "--confirm-within": confirm_within})
        targets.apply(context.obj, target, accept or (), as_json=as_json)
        return
    from geofence.cli.arguments import parse_seconds
    from geofence.cli.running import run
    from geofence.cli.views.run import reminder
    from geofence.operations import commit, ssh
    from geofence.operations.apply import apply as operation

    site, seconds = context.obj, parse_seconds(confirm_within)
    wish = commit.Wish("apply", accept or (), ssh.ssh_session(), cut=cut, confirm_seconds=seconds)
    run(
        site,
        "apply",
        lambda: operation(site, wish),
        as_json=as_json,
        reminder=reminder(seconds),
    )


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Show the fence, its counters and the age of its lists.\n\n"
        "Exit code 1: there is no fence, or none for IPv4 or IPv6. 2: the rules do not load; the "
        "rest is shown. 6: the kernel differs from what was applied.\n\n"
        "With --nagios it prints one line and exits as plugins of Nagios do: 0 is well, 1 is a "
        "warning, 2 is critical, 3 is unknown.\n\n"
        "Example: geofence status --json, for monitoring."
    ),
)
def status(
    context: typer.Context,
    *,
    full: Annotated[
        bool, typer.Option("--full", help=tr("Show sets, rules, sources and all lists."))
    ] = False,
    nagios: Annotated[
        bool, typer.Option("--nagios", help=tr("Print one line, as a plugin of Nagios does."))
    ] = False,
    target: TargetName = None,
    as_json: Json = False,
) -> None:
    """Show the fence, its counters and the age of its lists."""
    if target:
        from geofence.cli import targets

        targets.without({"--nagios": nagios})
        targets.status(context.obj, target, full=full, as_json=as_json)
        return
    from geofence.cli.views.status import show_status, status_json
    from geofence.operations.status import status as operation

    if nagios:
        from geofence.cli.views.nagios import nagios as as_plugin

        line, code = as_plugin(lambda: operation(context.obj))
        sys.stdout.write(f"{line}\n")
        raise typer.Exit(code)
    report = operation(context.obj)
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


@app.command(
    cls=ForReaders,
    rich_help_panel=PANEL,
    help=tr(
        "Show whether an address is allowed, and by which rule and list.\n\n"
        "Examples: geofence why 203.0.113.7 --port 5060/udp. geofence why 203.0.113.0/24. "
        "geofence why phone.example.org --full."
    ),
)
def why(  # noqa: PLR0913 - an option each
    context: typer.Context,
    address: Annotated[
        str,
        typer.Argument(metavar="ADDRESS", help=tr("An address, a prefix or a host name.")),
    ],
    *,
    port: Annotated[
        list[str] | None,
        typer.Option(
            "--port",
            metavar="PORT",
            help=tr("A destination port, e.g. 5060/udp. May be given more than once."),
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help=tr("Show each step of a packet, what the kernel finds, and all parts.")
        ),
    ] = False,
    target: TargetName = None,
    as_json: Json = False,
) -> None:
    """Show whether an address is allowed."""
    if target:
        from geofence.cli import targets

        targets.without({"--full": full})
        targets.why(context.obj, target, address, port or (), as_json=as_json)
        return
    from geofence.cli.arguments import parse_asked, parse_ports
    from geofence.cli.progress import watching
    from geofence.cli.views.why import show_why, why_json
    from geofence.cli.views.why_host import host_json, show_host
    from geofence.cli.views.why_prefix import prefix_json, show_prefix
    from geofence.model.address import Address
    from geofence.operations.why import why as of_address
    from geofence.operations.why import why_host
    from geofence.operations.why_prefix import why_prefix

    screen, asked, ports = Screen(), parse_asked(address), parse_ports(port or ())
    with watching(screen) as watch:
        if isinstance(asked, Address):
            found = of_address(context.obj, asked, ports, watch)
            show, facts = partial(show_why, screen, asked, found), partial(why_json, asked, found)
        elif isinstance(asked, str):
            host = why_host(context.obj, asked, ports, watch)
            show, facts = partial(show_host, screen, host), partial(host_json, host)
        else:
            part = why_prefix(context.obj, asked, ports, watch)
            show, facts = partial(show_prefix, screen, part), partial(prefix_json, part)
    if as_json:
        print_json(facts())
    else:
        show(full=full)


@app.command(
    cls=ForStateReaders,
    rich_help_panel=PANEL,
    help=tr(
        "Show the country of addresses, by an index of the lists of all countries.\n\n"
        "Without an address, show the age and size of the index. To have refresh renew it, write "
        "atlas.enabled = true into the rules.\n\n"
        "Example: geofence atlas 203.0.113.7 2001:db8::7, after geofence atlas --renew."
    ),
)
def atlas(
    context: typer.Context,
    addresses: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ADDRESS]...", help=tr("IPv4 or IPv6 addresses.")),
    ] = None,
    *,
    renew: Annotated[
        bool, typer.Option("--renew", help=tr("Download the lists of all countries."))
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the country of addresses."""
    from geofence.cli.arguments import parse_address
    from geofence.cli.views.atlas import finish_renewal, located_json, show_located, tell_atlas
    from geofence.operations import atlas as operations

    screen, site, wanted = Screen(), context.obj, [parse_address(each) for each in addresses or ()]
    if renew and wanted:
        raise UsageError(tr("--renew takes no addresses; look them up afterwards."))
    if renew:
        from geofence.cli.progress import watching

        with watching(screen) as watch:
            report = operations.renew(site, watch)
        finish_renewal(screen, report, as_json=as_json)
    elif not wanted:
        tell_atlas(screen, operations.atlas(site), as_json=as_json)
    elif as_json:
        print_json(located_json(operations.locate(site, wanted)))
    else:
        show_located(screen, operations.locate(site, wanted))
