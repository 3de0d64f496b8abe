"""Verbs with ``--target``: parse, call one operation, print, exit code."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import typer

from geofence.cli.running import run
from geofence.errors import ExitCode, UsageError
from geofence.operations.commit import Wish
from geofence.operations.site import Site
from geofence.operations.targets.site import target_site
from geofence.screen import Screen, print_json
from geofence.translation import tr


def without(options: Mapping[str, object]) -> None:
    """Refuse options that only this host has.

    Args:
        options: their values, by how they are typed.

    Raises:
        UsageError: one is given.
    """
    for name, value in options.items():
        if value:
            raise UsageError(
                tr(
                    "{one} and {other} exclude each other; use one of them.",
                    one="--target",
                    other=name,
                )
            )


def plan(  # noqa: PLR0913 - an option each
    site: Site,
    name: str,
    *,
    offline: bool,
    accept: Collection[str],
    full: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Show what a run would change in a cluster."""
    from geofence.cli.progress import watching
    from geofence.cli.views.plan import finish_plan
    from geofence.operations.targets.plan import plan_cluster

    screen, place = Screen(), target_site(site, name)
    with watching(screen) as watch:
        report = plan_cluster(place, offline=offline, accept=accept, watch=watch)
    finish_plan(screen, report, full=full, as_json=as_json, exit_code=exit_code)


def refresh(site: Site, name: str, accept: Collection[str], *, as_json: bool) -> None:
    """Download the lists and apply the rules to a cluster."""
    from geofence.cli.progress import watching
    from geofence.cli.views.run import finish
    from geofence.operations.outcome import told
    from geofence.operations.targets.apply import refresh_cluster

    screen, place, wish = Screen(), target_site(site, name), Wish("refresh", accept)
    with watching(screen) as watch:
        report = told(place.own, "refresh", lambda: refresh_cluster(place, wish, watch))
    finish(screen, report, as_json=as_json)


def apply(site: Site, name: str, accept: Collection[str], *, as_json: bool) -> None:
    """Apply the rules to a cluster with the stored lists."""
    from geofence.operations.targets.apply import apply_to_cluster

    place = target_site(site, name)
    run(place.own, "apply", lambda: apply_to_cluster(place, Wish("apply", accept)), as_json=as_json)


def restore(site: Site, name: str, accept: Collection[str], *, as_json: bool) -> None:
    """Bring the last good generation back into a cluster."""
    from geofence.operations.targets.restore import restore_cluster

    place = target_site(site, name)
    wish = Wish("restore", accept)
    run(place.own, "restore", lambda: restore_cluster(place, wish), as_json=as_json)


def rollback(
    site: Site, name: str, number: int | None, accept: Collection[str], *, as_json: bool
) -> None:
    """Apply an earlier generation to a cluster."""
    from geofence.operations.targets.restore import rollback_cluster

    place = target_site(site, name)
    wish = Wish(f"rollback {number}" if number else "rollback", accept)
    run(place.own, "rollback", lambda: rollback_cluster(place, number, wish), as_json=as_json)


def history(site: Site, name: str) -> Site:
    """Return the site with the generations of a target."""
    return target_site(site, name).own


def remove(site: Site, name: str, *, as_json: bool) -> None:
    """Take the fence out of a cluster."""
    from geofence.operations.targets.remove import remove_from_cluster

    place = target_site(site, name)
    removed = remove_from_cluster(place)
    if as_json:
        print_json({"target": name, "removed": list(removed)})
    elif removed:
        Screen().say(
            tr(
                "Removed the fence of {target} ({objects}). There is NO FENCE in the cluster now. "
                "'geofence restore --target {target}' brings it back, as does the next refresh.",
                target=name,
                objects=", ".join(removed),
            )
        )
    else:
        Screen().say(tr("There was no fence to remove."))


def status(site: Site, name: str, *, full: bool, as_json: bool) -> None:
    """Show the fence in a cluster."""
    from geofence.cli.views.target import show_target, target_json
    from geofence.operations.targets.status import status_of_cluster

    report = status_of_cluster(target_site(site, name))
    if as_json:
        print_json(target_json(report))
    else:
        show_target(Screen(), report, full=full)
    if not report.fenced:
        raise typer.Exit(ExitCode.FAILED)
    if report.drift or report.generation is None:
        raise typer.Exit(ExitCode.CHANGES)


def why(site: Site, name: str, address: str, ports: Collection[str], *, as_json: bool) -> None:
    """Show whether an address is allowed in a cluster."""
    from geofence.cli.arguments import parse_address, parse_ports
    from geofence.cli.views.target_why import show_target_why, target_why_json
    from geofence.operations.targets.why import why_in_cluster

    source, asked = parse_address(address), parse_ports(ports)
    report = why_in_cluster(target_site(site, name), source, asked)
    if as_json:
        print_json(target_why_json(source, report))
    else:
        show_target_why(Screen(), source, report)
