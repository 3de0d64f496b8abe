"""Messages of typer, which it translates by our text domain or ``cli/commands.py`` does for it.

Only here so that ``tools.catalogue`` finds them; nothing imports this module. Mistakes that typer
finds itself are in ``cli/usage_errors.py``, since it writes them without gettext.
"""

from geofence.translation import tr

tr("Options")
tr("Arguments")
tr("Commands")
tr("Error")
tr("[default: {}]")
tr("[env var: {}]")
tr("[required]")
tr("default: {default}")
tr("env var: {var}")
tr("required")
tr("Try [blue]'{command_path} {help_option}'[/] for help.")
tr("Missing command.")
tr("Aborted.")
tr("Aborted!")
tr("Show this message and exit.")
tr("Install completion for the current shell.")
tr("Show completion for the current shell, to copy it or customize the installation.")
