"""The interface of every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from geofence.model.elements import Element, Noted, TimedPrefix
from geofence.model.plan import Count, Observed, Plan
from geofence.model.prefixes import Prefix
from geofence.model.ruleset import Ruleset, SetKey


class NotedSets(Protocol):
    """The sets that the kernel itself fills, and what was dropped."""

    def keys(self) -> frozenset[SetKey]:
        """Return which of geofence's sets the kernel holds.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...

    def noted(self, key: SetKey, *, times: bool = True) -> Noted:
        """Return the sources in a set that the kernel fills, in no order; none without the set.

        Args:
            key: the set.
            times: whether to tell how long each stays, which takes time.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...

    def forget(self, key: SetKey, networks: Sequence[int] | None = None) -> None:
        """Take sources out of a set that the kernel fills; those that are not there are no matter.

        Args:
            key: the set.
            networks: the first address of each; None: all.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel refused.
        """
        ...

    def dropped(self) -> Mapping[str, Count]:
        """Return what ``observe`` tells of dropped packets, without reading the rest.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...


class Backend(NotedSets, Protocol):
    """Holds the fence in one kernel interface of the current network namespace.

    A backend owns its objects by name and touches nothing else. It heals: whatever a killed run
    left half-done, ``observe`` reports and ``commit`` or ``remove`` clears away.
    """

    name: str
    """``ipset`` or ``nftables``."""
    labels: bool
    """Whether connections are labelled, as far as it was seen; see ``Ruleset.labels``."""

    keeps_counts: bool
    """Whether what services dropped is counted on when rules are made anew."""

    def obstacle(self) -> str | None:
        """Return why this backend cannot work here, with the remedy; None if it can.

        Needs no privilege; says so if only privilege is missing.
        """
        ...

    def rival(self) -> str | None:
        """Return which program here removes again and again what this backend makes, or None.

        The backend works all the same, until then; but another one is better.
        """
        ...

    def rules(self, ruleset: Ruleset) -> Sequence[str]:
        """Return the ruleset's rules in the backend's own language, as ``observe`` gives them."""
        ...

    def observe(self) -> Observed:
        """Read what the kernel holds of geofence's, whole.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...

    def fingerprint(self) -> str:
        """Return a text that is another one once what ``observe`` reads here has changed.

        It takes much less time. What packets change does not count: counters, and the content of
        runtime sets.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...

    def commit(self, plan: Plan) -> None:
        """Bring the kernel from ``plan.observed`` to ``plan.desired``.

        At every instant each family is fenced by the old sets and rules or the new ones, never by
        an empty or partial one. Sets without a change are left alone, and so are the rules, with
        their counters, if ``plan.rules_differ`` is false. Elements of runtime sets are kept: such a
        set is made so that its elements may have time-outs, and is never filled or exchanged.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel refused; it holds what it held before.
        """
        ...

    def elements(self, key: SetKey) -> list[Element]:
        """Return the elements of a runtime set with their times and counts; none without the set.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...

    def test(self, key: SetKey, address: int) -> bool:
        """Whether the kernel itself finds an address in a set; false without the set.

        This asks the kernel to look, as it does for a packet, and reads no elements.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel's answer could not be had or understood.
        """
        ...

    def put(
        self, key: SetKey, added: Sequence[TimedPrefix], removed: Sequence[Prefix], now: float
    ) -> None:
        """Add prefixes to a runtime set and remove others, without a look at the rest.

        Args:
            key: the set.
            added: each until its end; those of the other family are left out.
            removed: elements as they are; those of the other family are left out, and one that is
                added as well stays.
            now: seconds since the epoch.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel refused, as where prefixes overlap; ``hold`` can do it.
        """
        ...

    def hold(self, key: SetKey, wanted: Sequence[TimedPrefix], now: float) -> int:
        """Make a runtime set hold these prefixes and no others; return how many were touched.

        Elements that are right stay, with their counts. An address in several prefixes stays until
        the last of their ends.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel refused.
        """
        ...

    def remove(self) -> bool:
        """Remove all that is geofence's from the kernel; whether there was anything.

        Raises:
            BackendUnavailable: privilege, a program or kernel support is missing.
            BackendError: the kernel refused.
        """
        ...
