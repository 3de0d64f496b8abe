"""Verbs as the units run them, without the library that reads command lines.

To import and set up that library takes longer than to restore a country's fence. Whatever is not
one of the few forms that are known here goes through it, so that its messages are the only ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geofence.cli.ending import ending_in_message
from geofence.lean import Path
from geofence.model.frozen import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.operations.site import Site

_UNATTENDED = "--unattended"
_FLAGS: Mapping[str, Sequence[str]] = {"restore": (), "refresh": (_UNATTENDED,)}
"""Verbs that are known here, with those of their options that are."""
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


class Plain(NamedTuple):
    """A command line in one of the forms that are known here."""

    verb: str
    directories: Mapping[str, Path]
    """Those that the command line or the environment names, by option."""
    flags: frozenset[str] = frozenset()


def plainly(arguments: Sequence[str], environment: Mapping[str, str]) -> Plain | None:
    """Return what a plain command line says; None if it is none.

    Args:
        arguments: of the command line.
        environment: of the process.
    """
    if any(map(environment.get, _OTHERS)):
        return None
    named = {option: environment.get(name, "") for option, name in _PATHS.items()}
    waiting = iter(arguments)
    for argument in waiting:
        if argument in _FLAGS:
            flags = frozenset(waiting)
            directories = {option: Path(value) for option, value in named.items() if value}
            known = flags.issubset(_FLAGS[argument])
            return Plain(argument, directories, flags) if known else None
        option, is_given, value = argument.partition("=")
        value = value if is_given else next(waiting, "")
        if option not in _PATHS or not value or value.startswith("-"):
            return None
        named[option] = value
    return None


def run_plainly(wanted: Plain) -> None:
    """Do what a plain command line says, and end as the verb does.

    Without a look for garbage: what a run holds to its end would only be looked through.
    """
    with ending_in_message():
        site = _site(wanted.directories.get("--rules-dir"), wanted.directories.get("--state-dir"))
        _require_privilege(wanted.verb)
        if wanted.verb == "restore":
            _restore(site)
        else:
            _refresh(site, unattended=_UNATTENDED in wanted.flags)


def _site(rules: Path | None, state: Path | None) -> Site:
    from geofence.cli.state_path import state_path
    from geofence.operations.site import RULES_DIRECTORY, STATE_DIRECTORY, Site

    return Site(
        rules_directory=rules or RULES_DIRECTORY,
        rules_required=rules not in (None, RULES_DIRECTORY),
        state_directory=state_path(state or STATE_DIRECTORY),
    )


def _require_privilege(verb: str) -> None:
    from geofence.host.privilege import has_net_admin

    if not has_net_admin():
        from geofence.cli.privileges import refusal

        raise refusal(verb)


def _restore(site: Site) -> None:
    from geofence.cli.running import run
    from geofence.operations.restore import restore

    run(site, "restore", lambda: restore(site), as_json=False)


def _refresh(site: Site, *, unattended: bool) -> None:
    from geofence.cli.refreshing import refresh
    from geofence.operations import ssh
    from geofence.operations.commit import Wish

    refresh(site, Wish("refresh", (), ssh.ssh_session(), unattended=unattended))
