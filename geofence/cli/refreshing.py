"""One refresh: shown while it goes on, printed, with its exit code."""

from __future__ import annotations

from geofence.cli.progress import watching
from geofence.cli.views.run import finish, reminder
from geofence.operations.commit import Wish
from geofence.operations.refresh import refresh_and_renew
from geofence.operations.site import Site
from geofence.screen import Screen


def refresh(
    site: Site, wish: Wish, *, compare_mirrors: bool = False, as_json: bool = False
) -> None:
    """Download the lists, apply the rules, print the report, and end with its exit code.

    Args:
        site: the installation.
        wish: what for.
        compare_mirrors: whether to compare all mirrors of each list, too.
        as_json: whether to print JSON.
    """
    screen = Screen()
    with watching(screen) as watch:
        report = refresh_and_renew(site, wish, watch)
        if compare_mirrors:
            from geofence.operations.mirrors import compared

            report = report.with_notes(compared(site, watch))
    finish(screen, report, as_json=as_json, reminder=reminder(wish.confirm_seconds))
