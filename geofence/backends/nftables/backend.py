"""The nftables backend: one table, read whole, changed in one transaction.

Every run asks whether the backend that does not hold the fence holds anything at all. So what it
takes to read and to make a table is imported where there is one to read or to make.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from geofence.backends.nftables.connection import NoLabels, connected
from geofence.backends.nftables.noting import NftablesNoting
from geofence.errors import BackendError
from geofence.model.elements import Element, TimedPrefix
from geofence.model.frozen import replace
from geofence.model.plan import Observed, Plan
from geofence.model.prefixes import Prefix
from geofence.model.ruleset import Ruleset, SetKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.backends.nftables.forms import Forms
    from geofence.backends.nftables.lines import RuleLines
    from geofence.backends.nftables.rules import Compiler
    from geofence.backends.nftables.written import Written


class NftablesBackend(NftablesNoting):
    """The table ``inet geofence`` of the current network namespace."""

    name = "nftables"
    by_two = False  # at boot, no thread more than needed
    keeps_counts = True

    def __init__(self, most_intervals: int | None = None) -> None:
        """Open nothing yet.

        Args:
            most_intervals: of a set that is not divided by lengths of prefixes; None: the usual.
        """
        self.labels = True
        self._most_intervals = most_intervals
        self._shown: tuple[Ruleset, RuleLines] | None = None
        self._written: Written | None = None
        """What this run committed last."""

    @cached_property
    def _compiler(self) -> Compiler:
        from geofence.backends.nftables.rules import Compiler

        return Compiler()

    @cached_property
    def _forms(self) -> Forms:
        from geofence.backends.nftables.forms import MOST_INTERVALS, Forms

        most = self._most_intervals
        return Forms(MOST_INTERVALS if most is None else most)

    def obstacle(self) -> str | None:
        """Return why nf_tables cannot be used here, or None."""
        try:
            with connected() as netlink:
                netlink.generation()
        except BackendError as error:
            return str(error)
        return None

    def rival(self) -> str | None:
        """Return None: only programs that flush all tables touch one that is geofence's own."""
        return None

    def rules(self, ruleset: Ruleset) -> RuleLines:
        """Return all rules, chain by chain, nearly as nft prints them."""
        from geofence.backends.nftables import batches
        from geofence.backends.nftables.lines import RuleLines
        from geofence.backends.nftables.snapshot import Snapshot

        if ruleset.labels is not self.labels:
            ruleset = replace(ruleset, labels=self.labels)
        if self._shown is None or self._shown[0] is not ruleset:
            names = batches.free_names(ruleset, Snapshot(0), {}, self._forms.wanted(ruleset))
            chains = batches.wanted_chains(ruleset, names)
            compiled = self._compiler.compiled(ruleset, names)
            lines = RuleLines(chains, (*compiled.base, *compiled.service))
            self._shown = (ruleset, lines)
        return self._shown[1]

    def observe(self) -> Observed:
        """Read the table with everything in it."""
        from geofence.backends.nftables.snapshot import read_snapshot

        with connected() as netlink:
            held = read_snapshot(netlink, elements=True)
        written = self._written
        if not held.exists:
            self.labels = True
            return Observed()
        if written is not None and written.fences_all and written.is_held(held):
            return written.observed(held, self.rules(written.ruleset))
        from geofence.backends.nftables.observe import does_without_labels, observed

        self.labels = not does_without_labels(held)
        return observed(held, self._forms)

    def fingerprint(self) -> str:
        """Return the number of the last transaction that anybody made in this namespace.

        Packets put elements into sets, and time takes them out, without one.
        """
        with connected() as netlink:
            return str(netlink.generation())

    def commit(self, plan: Plan) -> None:
        """Change the table to what the plan desires; without labels where the kernel has none."""
        from geofence.backends.nftables.commit import change_table

        self._written = None
        with connected(deleting=True) as netlink:
            if self.labels:
                try:
                    self._written = change_table(netlink, plan, self._forms, self._compiler)
                except NoLabels:
                    self.labels = False
                else:
                    return
            unlabelled = replace(plan, desired=replace(plan.desired, labels=False))
            change_table(netlink, unlabelled, self._forms, self._compiler)

    def elements(self, key: SetKey) -> list[Element]:
        """Return the elements of a runtime set with their times and counts."""
        from geofence.backends.nftables.runtime import read_elements

        with connected() as netlink:
            return read_elements(netlink, key, self.heads(netlink))

    def test(self, key: SetKey, address: int) -> bool:
        """Whether the kernel itself finds an address in a set; false without the set."""
        from geofence.backends.nftables.runtime import test_element

        with connected() as netlink:
            return test_element(netlink, key, address)

    def put(
        self, key: SetKey, added: Sequence[TimedPrefix], removed: Sequence[Prefix], now: float
    ) -> None:
        """Add prefixes to a runtime set, and remove others."""
        from geofence.backends.nftables.runtime import put_elements

        with connected() as netlink:
            put_elements(netlink, key, added, removed, now)

    def hold(self, key: SetKey, wanted: Sequence[TimedPrefix], now: float) -> int:
        """Make a runtime set hold these prefixes and no others."""
        from geofence.backends.nftables.runtime import hold_elements

        with connected() as netlink:
            return hold_elements(netlink, key, wanted, now)

    def remove(self) -> bool:
        """Remove the table, in one transaction."""
        with connected() as netlink:
            if not netlink.has_table():
                return False
            from geofence.backends.nftables.commit import remove_table

            return remove_table(netlink)
