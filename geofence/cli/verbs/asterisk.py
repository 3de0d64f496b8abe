"""The verb that shows what Asterisk's configuration says: discover."""

from __future__ import annotations

from geofence.cli.commands import ForAll
from geofence.cli.options import AsteriskDir, Json
from geofence.cli.root import app
from geofence.screen import Screen, print_json
from geofence.translation import tr

PANEL = tr("Asterisk")


@app.command(
    cls=ForAll,
    rich_help_panel=PANEL,
    help=tr(
        "Show which ports and trunks Asterisk's configuration has.\n\n"
        "It reads files only, and runs and changes nothing.\n\n"
        "Example: geofence discover --asterisk-dir /srv/pbx/etc/asterisk"
    ),
)
def discover(*, asterisk_dir: AsteriskDir = None, as_json: Json = False) -> None:
    """Show what Asterisk's configuration says."""
    from geofence.asterisk.directory import ASTERISK_DIRECTORY
    from geofence.asterisk.reader import read_configuration
    from geofence.cli.views.discover import reading_json, show_reading

    reading = read_configuration(asterisk_dir or ASTERISK_DIRECTORY)
    if as_json:
        print_json(reading_json(reading))
    else:
        show_reading(Screen(), reading)
