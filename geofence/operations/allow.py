"""``allow`` and ``revoke``: what people allow by hand, in the command line's rules file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

from geofence.by_hand.allowing import allowing
from geofence.by_hand.request import Answer, Request, Situation
from geofence.by_hand.revoking import revoking
from geofence.errors import GeofenceError, GuardRefusal, UsageError
from geofence.guards.lockout import SshSession
from geofence.guards.objection import remaining
from geofence.guards.own_rules import check_timed
from geofence.merge import needed_lists
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Policy
from geofence.operations.apply import apply_rules
from geofence.operations.commit import Wish, check_overrides, holding
from geofence.operations.following import followed
from geofence.operations.list_notes import log_names
from geofence.operations.lists import Watch, at_hand, fetched, unwatched
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.policy import OWNED_FILE, read_owned
from geofence.state.files import read_if_there, state_error, write_atomically
from geofence.translation import join, tr

_READABLE = 0o644
"""Mode of the file. Rules are not secret."""


def allow(
    site: Site,
    request: Request,
    watch: Watch = unwatched,
    *,
    accept: Collection[str] = (),
    ssh: SshSession | None = None,
) -> RunReport:
    """Allow exceptions, addresses, host names and countries, and apply it.

    Raises:
        UsageError: something that was asked for is unknown, contradicts something else, or a later
            file says otherwise; nothing was changed.
        RulesError: the rules do not load; nothing was changed.
        GuardRefusal: a check refuses it; nothing was changed.
        StateError: the file could not be written; nothing was changed.
    """
    wish = Wish(f"allow {request.arguments}", accept, ssh)
    with holding(site):
        now = situation(site)
        return _carry_out(site, now, allowing(now, request), wish, watch, request.countries)


def revoke(
    site: Site,
    request: Request,
    watch: Watch = unwatched,
    *,
    accept: Collection[str] = (),
    ssh: SshSession | None = None,
) -> RunReport:
    """Revoke what was allowed, apply it, and drop its connections.

    Raises:
        UsageError: something that was asked for is unknown, or a later file says otherwise; nothing
            was changed.
        RulesError: the rules do not load; nothing was changed.
        StateError: the file could not be written; nothing was changed.
    """
    with holding(site):
        now = situation(site)
        answer = revoking(now, request)
        wish = Wish(f"revoke {request.arguments}", accept, ssh, revoked=answer.revoked)
        return _carry_out(site, now, answer, wish, watch)


def situation(site: Site) -> Situation:
    """Return what a request by hand is held against.

    Raises:
        RulesError: the rules do not load.
    """
    policy, others = site.policy(), site.policy_without_switches()
    owned = read_owned(_text(read_if_there(site.owned_file)))
    known = {each.name for each in policy.exceptions}
    current = owned.keeping(known).at(datetime.now(UTC))
    return Situation(current, policy, others, at_hand(site))


def _carry_out(  # noqa: PLR0913, PLR0917 - what the command line gives
    site: Site,
    now: Situation,
    answer: Answer,
    wish: Wish,
    watch: Watch,
    countries: Collection[str] = (),
) -> RunReport:
    """Write the file and apply the rules; put the file back if that fails."""
    before = read_if_there(site.owned_file)
    text = answer.owned.text()
    _write_owned(site, text)
    try:
        _require(site, answer)
        report = _apply_by_hand(site, now.policy, wish, watch, countries)
    except GeofenceError:
        # Rules that cannot be applied must not fail the next run.
        _put_back(site, before)
        raise
    if report.plan.is_empty and text != _text(before):
        # What has an end is in no ruleset, so that the commit saw no change.
        site.log_change(wish.reason, f"{OWNED_FILE} was changed", report.generation)
    changed = _timed(now.policy) != _timed(site.policy())
    noted = report.with_notes((*answer.notes, *_dropped(now.policy)))
    return replace(noted, timed_changed=changed)


def _timed(policy: Policy) -> tuple[object, ...]:
    """Return what is allowed until a time."""
    exceptions = (each for each in policy.enabled_exceptions() if each.until)
    return (*exceptions, *policy.timed_countries())


def _apply_by_hand(
    site: Site, before: Policy, wish: Wish, watch: Watch, countries: Collection[str]
) -> RunReport:
    """Resolve the host names of the rules, fetch countries and new feeds, check, and apply."""
    policy = followed(site, wish.accept).policy
    # Checked here, too, so that nothing is resolved and stored for a mistyped override.
    check_overrides(policy, wish.accept)
    lists: tuple[ListKind | ListId, ...] = (
        ListKind.HOST,
        ListKind.SRV,
        ListKind.SIP,
        *(ListId(ListKind.COUNTRY, code) for code in countries),
        *_new_feeds(site, policy),
    )
    gathered = fetched(site, policy, lists, wish.accept, watch)
    known = {each.id: each.space for each in gathered.reports if not each.is_absent}
    refusals = remaining(check_timed(before, policy, known), wish.accept)
    if refusals:
        raise GuardRefusal(join("\n", map(str, refusals)))
    gathered.store(site)
    report = apply_rules(site, wish, gathered.reports)
    log_names(site, wish.reason, gathered.notes, report.generation)
    return report.with_notes(gathered.notes)


def _new_feeds(site: Site, policy: Policy) -> tuple[ListId, ...]:
    """Return the feeds that were never accepted; others wait for a refresh."""
    feeds = [name for name in needed_lists(policy) if name.kind is ListKind.FEED]
    known, _ = site.lists.load_all(feeds)
    return tuple(name for name in feeds if name not in known)


def _dropped(before: Policy) -> tuple[Note, ...]:
    facts = {"file": OWNED_FILE}
    return tuple(Note(NoteKind.SWITCH_REMOVED, name, facts) for name in before.stale_switches)


def _require(site: Site, answer: Answer) -> None:
    """Raise an error if a file that is read later says otherwise."""
    policy = site.policy()
    now = {exception.name: exception.enabled for exception in policy.exceptions}
    wanted = {**dict.fromkeys(answer.enabled, True), **dict.fromkeys(answer.disabled, False)}
    for name, enabled in wanted.items():
        if now.get(name) is not enabled:
            raise UsageError(
                tr(
                    "{origin} sets 'enabled' of the exception {name} and overrides {file}. "
                    "Remove that line and try again. Nothing was changed.",
                    origin=policy.origins.get(f"exception.{name}"),
                    name=name,
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
