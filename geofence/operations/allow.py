"""``allow`` and ``revoke``: exceptions switched on and off in the file the command line owns."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from geofence.errors import GeofenceError, UsageError
from geofence.guards.lockout import SshSession
from geofence.merge import exception_space
from geofence.model.lists import ListKind
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.operations.commit import Wish, apply_rules, check_overrides, holding
from geofence.operations.lists import Watch, at_hand, fetched, unwatched
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.policy import exceptions_named
from geofence.policy.switches import OWNED_FILE, with_enabled
from geofence.state.files import read_if_there, state_error, write_atomically

_READABLE = 0o644
"""Rules are no secret, and 'geofence plan' needs no root."""


def switch(  # noqa: PLR0913 - what the command line gives
    site: Site,
    names: tuple[str, ...],
    watch: Watch = unwatched,
    *,
    enabled: bool,
    accept: Collection[str] = (),
    ssh: SshSession | None = None,
) -> RunReport:
    """Persist that exceptions (or groups of them) are on or off, and apply it.

    Raises:
        UsageError: a name is no exception and no group, a later file says otherwise, or an
            override names no guard, or no list that the rules need; nothing was changed.
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
            # Rules that cannot be applied are not left for the next run to trip over.
            _put_back(site, before)
            raise


def _apply(site: Site, wish: Wish, watch: Watch) -> RunReport:
    """Look up the host names that are meant now, then apply."""
    policy = site.policy()
    # Now, too: nothing is to be looked up and stored for a slip.
    check_overrides(policy, wish.accept)
    gathered = fetched(site, policy, (ListKind.HOST,), watch=watch)
    gathered.store(site)
    return apply_rules(site, wish, gathered.reports).with_notes(gathered.notes)


def _space(site: Site, chosen: tuple[NamedException, ...]) -> AddressSpace:
    """All that the exceptions stand for, as far as it is known."""
    lists = at_hand(site)
    return AddressSpace.union(exception_space(each, lists) | each.last_known for each in chosen)


def _chosen(policy: Policy, names: tuple[str, ...], *, enabled: bool) -> tuple[NamedException, ...]:
    """The exceptions; one that is gone is revoked by dropping its switch, as any change does."""
    groups = {each.group for each in policy.exceptions}
    gone = set() if enabled else policy.stale_switches.keys() - groups
    meant = (name for name in names if name not in gone)
    verb = "allow" if enabled else "revoke"
    return tuple(each for name in meant for each in exceptions_named(policy, name, verb))


def _dropped(before: Policy) -> tuple[str, ...]:
    return tuple(
        f"{OWNED_FILE} had switched {name}, which no rule defines; it no longer does."
        for name in before.stale_switches
    )


def _require(site: Site, chosen: tuple[NamedException, ...], *, enabled: bool) -> None:
    """See that no file read after ours says otherwise."""
    policy = site.policy()
    now = {exception.name: exception.enabled for exception in policy.exceptions}
    for exception in chosen:
        if now[exception.name] is not enabled:
            origin = policy.origins.get(f"exception.{exception.name}")
            raise UsageError(
                f"{origin} sets 'enabled' of {exception.name} after {OWNED_FILE} and so overrides "
                "it; take that line out and try again."
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
