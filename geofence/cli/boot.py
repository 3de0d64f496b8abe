"""``restore`` as the units run it at boot, without the library that reads command lines.

To import and set up that library takes longer than to restore a country's fence. Whatever is not
one of the few forms that are known here goes through it, so that its messages are the only ones.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from geofence.cli.ending import ending_in_message

if TYPE_CHECKING:
    from geofence.operations.site import Site

_VERB = "restore"
_PATHS = {"--rules-dir": "GEOFENCE_RULES_DIR", "--state-dir": "GEOFENCE_STATE_DIR"}
"""Options that are known here, with the variables of the environment that stand for them."""
_OTHERS = (
    "GEOFENCE_BACKEND",
    "GEOFENCE_BPF_DIR",
    "GEOFENCE_LOCK_WAIT",
    "GEOFENCE_PATIENCE",
    "_GEOFENCE_COMPLETE",
)
"""Variables that only the library reads."""


def plain_restore(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> dict[str, Path] | None:
    """Return the directories that a plain ``restore`` names, by option; None if it is none.

    Args:
        arguments: of the command line.
        environment: of the process.
    """
    if not arguments or arguments[-1] != _VERB or any(map(environment.get, _OTHERS)):
        return None
    named = {option: environment.get(name, "") for option, name in _PATHS.items()}
    waiting = iter(arguments[:-1])
    for argument in waiting:
        option, is_given, value = argument.partition("=")
        value = value if is_given else next(waiting, "")
        if option not in _PATHS or not value or value.startswith("-"):
            return None
        named[option] = value
    return {option: Path(value) for option, value in named.items() if value}


def restore(directories: Mapping[str, Path]) -> None:
    """Restore the last good fence, and end as the verb does.

    Args:
        directories: those that the command line or the environment names, by option.
    """
    gc.disable()  # what a run holds to its end would only be looked through
    with ending_in_message():
        site = _site(directories.get("--rules-dir"), directories.get("--state-dir"))
        _run(site)


def _site(rules: Path | None, state: Path | None) -> Site:
    from geofence.cli.state_path import state_path
    from geofence.operations.site import RULES_DIRECTORY, STATE_DIRECTORY, Site

    return Site(
        rules_directory=rules or RULES_DIRECTORY,
        rules_required=rules not in (None, RULES_DIRECTORY),
        state_directory=state_path(state or STATE_DIRECTORY),
    )


def _run(site: Site) -> None:
    from geofence.host.privilege import has_net_admin

    if not has_net_admin():
        from geofence.cli.privileges import refusal

        raise refusal(_VERB)
    from geofence.cli.running import run
    from geofence.operations.restore import restore as operation

    run(site, _VERB, lambda: operation(site), as_json=False)
