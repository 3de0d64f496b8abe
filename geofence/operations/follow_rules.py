"""The daemon's run after a change of the rules, as of a ConfigMap.

Whoever starts the daemon with ``--follow-rules`` says that files of rules are finished when they
are there: a controller writes them, not an editor. Checks delay or refuse what they do in each run
that nobody attends.
"""

from __future__ import annotations

from geofence.model.chosen import NO_BACKEND
from geofence.model.plan import Observed, Plan
from geofence.model.ruleset import Ruleset
from geofence.operations.apply import apply
from geofence.operations.commit import Wish
from geofence.operations.confirm import refuse_pending
from geofence.operations.following import followed
from geofence.operations.lists import missed_a_day, stored
from geofence.operations.outcome import told
from geofence.operations.refresh import refresh_and_renew
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.operations.status_facts import are_rules_edited

_APPLY = "apply"
"""What this run is for who reads the records."""

_NOTHING = RunReport(Plan(Ruleset(), Observed()), NO_BACKEND)


def follow_rules(site: Site, wish: Wish) -> RunReport:
    """Apply the rules if they differ from what was applied; download lists that are missing or old.

    Raises:
        RulesError: the rules do not load.
        BusyError: another run holds the lock, or a ruleset waits to be confirmed.
        MissingListError: a list could not be downloaded.
        GuardRefusal: a check refuses the change.
    """
    if missed_a_day(site):
        return refresh_and_renew(site, wish)
    policy = followed(site).policy
    newest, _ = site.generations.newest()
    if newest and not are_rules_edited(policy, stored(site, policy), newest.ruleset):
        return _NOTHING
    refuse_pending(site)
    return told(site, _APPLY, lambda: apply(site, wish))
