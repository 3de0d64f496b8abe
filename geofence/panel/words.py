"""The panel's own texts, which the process of the browser gets translated."""

from __future__ import annotations

from geofence.translation import tr


def words() -> dict[str, str]:
    """Return the texts by name."""
    return {
        "wrong_host": tr("This is not the address of the panel. Use the one that it printed."),
        "cross_site": tr("This request did not come from a page of the panel. Nothing was done."),
        "no_session": tr("Start 'geofence panel' again, and open the link that it prints."),
        "wrong_link": tr("This link is wrong or was used. Start 'geofence panel' again."),
        "no_action": tr("The panel cannot do this."),
        "gone": tr("The panel's privileged process does not answer. Start 'geofence panel' again."),
        "back": tr("Back to the overview"),
        "filter": tr("Show rows with"),
        "apply_filter": tr("Show"),
        "next": tr("Next"),
        "previous": tr("Previous"),
        "page": tr("page"),
        "of": tr("of"),
        "rows": tr("rows"),
        "reload": tr("Read again"),
        "actions": tr("Actions"),
        "what": tr("Address, host name or exception"),
        "address": tr("Address or prefix"),
        "for": tr("For (8h, 7d; empty: without end)"),
        "service": tr("Service (empty: all)"),
        "reason": tr("Reason"),
        "allow": tr("Allow"),
        "revoke": tr("Revoke"),
        "ban": tr("Ban"),
        "unban": tr("Unban"),
        "confirm": tr("Keep the change"),
        "refresh": tr("Refresh the lists"),
        "would": tr("What it would do"),
        "cannot": tr("It cannot be done"),
        "do": tr("Do it"),
        "done": tr("Done"),
        "not_done": tr("Not done"),
        "read_only": tr("Read-only. With 'geofence panel --actions' it can allow and ban."),
    }
