"""``allow`` and ``revoke``: exceptions enabled and disabled in the command line's rules file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from geofence.errors import GeofenceError, UsageError
from geofence.guards.lockout import SshSession
from geofence.merge import exception_space
from geofence.model.lists import ListKind
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.operations.apply import apply_rules
from geofence.operations.commit import Wish, check_overrides, holding
from geofence.operations.list_notes import log_names
from geofence.operations.lists import Watch, at_hand, fetched, unwatched
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.policy import exceptions_named
from geofence.policy.switches import OWNED_FILE, with_enabled
from geofence.state.files import read_if_there, state_error, write_atomically
from geofence.translation import tr

_READABLE = 0o644
"""Mode of the file. Rules are not secret."""


def switch(  # noqa: PLR0913 - what the command line gives
    site: Site,
    names: tuple[str, ...],
    watch: Watch = unwatched,
    *,
    enabled: bool,
    accept: Collection[str] = (),
    ssh: SshSession | None = None,
) -> RunReport:
    """Enable or disable exceptions, or groups of them, and apply it.

    Raises:
        UsageError: an exception, group or override is unknown, or a later file says otherwise;
            nothing was changed.
        RulesError: the rules do not load; nothing was changed.
        StateError: the file could not be written; nothing was changed.
    """
    verb = "allow" if enabled else "revoke"
    with holding(site):
        before = read_if_there(site.owned_file)
        policy = site.policy()
        chosen = _chosen(policy, names, enabled=enabled)
        wish = Wish(f"{verb} {' '.join(names)}", accept, ssh)
        if not enabled:
            wish = replace(wish, revoked=_space(site, chosen))
        meant, known = ([each.name for each in some] for some in (chosen, policy.exceptions))
        _write_owned(site, with_enabled(_text(before), meant, enabled, known))
        try:
            _require(site, chosen, enabled=enabled)
            return _apply(site, wish, watch).with_notes(_dropped(policy))
        except GeofenceError:
            # Rules that cannot be applied must not fail the next run.
            _put_back(site, before)
            raise


def _apply(site: Site, wish: Wish, watch: Watch) -> RunReport:
    """Resolve the host names that the rules have now, then apply."""
    policy = site.policy()
    # Checked here, too, so that nothing is resolved and stored for a mistyped override.
    check_overrides(policy, wish.accept)
    gathered = fetched(site, policy, (ListKind.HOST, ListKind.SRV), watch=watch)
    gathered.store(site)
    report = apply_rules(site, wish, gathered.reports)
    log_names(site, wish.reason, gathered.notes, report.generation)
    return report.with_notes(gathered.notes)


def _space(site: Site, chosen: tuple[NamedException, ...]) -> AddressSpace:
    """Return all known addresses of the exceptions."""
    lists = at_hand(site)
    return AddressSpace.union(exception_space(each, lists) | each.last_known for each in chosen)


def _chosen(policy: Policy, names: tuple[str, ...], *, enabled: bool) -> tuple[NamedException, ...]:
    """Return the exceptions of these names.

    One that no rule defines any more is revoked by any change, which removes its switch.
    """
    groups = {each.group for each in policy.exceptions}
    gone = set() if enabled else policy.stale_switches.keys() - groups
    meant = (name for name in names if name not in gone)
    verb = "allow" if enabled else "revoke"
    return tuple(each for name in meant for each in exceptions_named(policy, name, verb))


def _dropped(before: Policy) -> tuple[Note, ...]:
    facts = {"file": OWNED_FILE}
    return tuple(Note(NoteKind.SWITCH_REMOVED, name, facts) for name in before.stale_switches)


def _require(site: Site, chosen: tuple[NamedException, ...], *, enabled: bool) -> None:
    """Raise an error if a file that is read later says otherwise."""
    policy = site.policy()
    now = {exception.name: exception.enabled for exception in policy.exceptions}
    for exception in chosen:
        if now[exception.name] is not enabled:
            origin = policy.origins.get(f"exception.{exception.name}")
            raise UsageError(
                tr(
                    "{origin} sets 'enabled' of the exception {name} and overrides {file}. "
                    "Remove that line and try again. Nothing was changed.",
                    origin=origin,
                    name=exception.name,
                    file=OWNED_FILE,
                )
            )


def _text(content: bytes | None) -> str:
    return (content or b"").decode(errors="replace")


def _write_owned(site: Site, text: str) -> None:
    if text == _text(read_if_there(site.owned_file)):
        return
    try:
        site.rules_directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise state_error("made", site.rules_directory, error) from error
    write_atomically(site.owned_file, text.encode(), _READABLE)


def _put_back(site: Site, before: bytes | None) -> None:
    if before is not None:
        write_atomically(site.owned_file, before, _READABLE)
        return
    try:
        site.owned_file.unlink(missing_ok=True)
    except OSError as error:
        raise state_error("removed", site.owned_file, error) from error
