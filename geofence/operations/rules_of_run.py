"""The rules of a run, which follow Asterisk's configuration if they say so.

Most do not, and what reads the configuration takes a while to import.
"""

from __future__ import annotations

from collections.abc import Collection

from geofence.operations.followed import Followed
from geofence.operations.site import Site


def rules_of_run(site: Site, accept: Collection[str] = ()) -> Followed:
    """Return the rules with what Asterisk's configuration adds to them now.

    Args:
        site: the installation.
        accept: overrides.

    Raises:
        RulesError: the rules do not load.
        UsageError: an override has an unknown check.
    """
    rules = site.rules()
    if not rules.asterisk.enabled:
        return Followed(rules)
    from geofence.operations.following import followed

    return followed(site, accept)
