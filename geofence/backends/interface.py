"""What every backend does."""

from __future__ import annotations

from typing import Protocol

from geofence.model.plan import Observed, Plan
from geofence.model.ruleset import Ruleset


class Backend(Protocol):
    """Holds the fence in one kernel interface of the current network namespace.

    A backend owns its objects by name and touches nothing else. It heals: whatever a killed run
    left half-done, ``observe`` reports and ``commit`` or ``remove`` clears away.
    """

    name: str
    """``ipset`` or ``nftables``."""

    def obstacle(self) -> str | None:
        """Why this backend cannot work here, with the remedy, in one sentence; None if it can.

        Needs no privilege; says so if only privilege is missing.
        """
        ...

    def rival(self) -> str | None:
        """Who on this host keeps taking away what this backend makes, in one sentence, or None.

        The backend works all the same, until then; but another one is better.
        """
        ...

    def rules(self, ruleset: Ruleset) -> tuple[str, ...]:
        """The ruleset's rules in the backend's own language, exactly as ``observe`` gives them."""
        ...

    def observe(self) -> Observed:
        """Read what the kernel holds of geofence's, whole.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...

    def commit(self, plan: Plan) -> None:
        """Bring the kernel from ``plan.observed`` to ``plan.desired``.

        At every instant each family is fenced by the old sets and rules or the new ones, never by
        an empty or partial one. Sets without a change are left alone, and so are the rules, with
        their counters, if ``plan.rules_differ`` is false.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel refused; what it held still stands.
        """
        ...

    def remove(self) -> bool:
        """Take all that is geofence's out of the kernel; whether there was anything.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel refused.
        """
        ...
