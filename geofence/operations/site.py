"""One installation: its directories, stores and backend.

What these need is imported on use: ``restore`` at boot reads neither rules nor lists, and what
fail2ban asks before each ban, and who reads noted sources, need nothing of the fence.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from geofence.errors import BackendUnavailable, StateError
from geofence.lean import UTC, Path, datetime
from geofence.model.frozen import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.backends.registry import Chosen
    from geofence.model.choices import BackendChoice
    from geofence.model.chosen import ChosenBy
    from geofence.model.generation import Generation
    from geofence.model.policy import Policy
    from geofence.policy.files import RulesFile
    from geofence.state.bans import BanStore
    from geofence.state.following import ReadingStore
    from geofence.state.generations import GenerationStore
    from geofence.state.lists import ListStore
    from geofence.state.outcomes import Journal
    from geofence.state.refusals import RefusalStore
    from geofence.state.timed import TimedStore
    from geofence.state.versions import VersionStore

RULES_DIRECTORY = Path("/etc/geofence/rules.d")
STATE_DIRECTORY = Path("/var/lib/geofence")
BPF_DIRECTORY = Path("/sys/fs/bpf")
LOCK_SECONDS = 30.0
"""Seconds that a run waits for another to end."""
PATIENCE = 120.0
"""Seconds for one source of a list: its redirects, retries and waits together."""


def shipped_rules() -> Path:
    """Return the directory of the shipped rules: in the checkout, or as installed."""
    checkout = Path(__file__).parents[2] / "rules.d"
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share/geofence/rules.d"


@dataclass(frozen=True, slots=True)
class Site:
    """Paths and choices from the command line or the environment."""

    rules_directory: Path = RULES_DIRECTORY
    """The operator's drop-ins; what ships is read before them."""
    state_directory: Path = STATE_DIRECTORY
    backend: BackendChoice | None = None
    """Overrides the rules' ``backend``."""
    lock_seconds: float = LOCK_SECONDS
    patience: float = PATIENCE
    rules_required: bool = False
    """Whether ``rules_directory`` must exist, as one that somebody named."""

    drafts: tuple[RulesFile, ...] = ()
    """Files that count in place of those in ``rules_directory``, by name: that of ``setup`` until
    it is confirmed."""

    bpf_directory: Path = BPF_DIRECTORY
    """Where the BPF file system is mounted, in which the shield has its names."""

    target: str = ""
    """Name of the target whose state ``state_directory`` has; empty for that of this host."""

    log_changes: bool = True
    """Whether changes are written to the host's log; not for a throw-away network."""

    @property
    def rules_directories(self) -> Sequence[Path]:
        """Directories of rules files in the order in which they are read."""
        return (shipped_rules(), self.rules_directory)

    @property
    def owned_file(self) -> Path:
        """The rules file that the command line owns."""
        from geofence.policy.owned import OWNED_FILE

        return self.rules_directory / OWNED_FILE

    @property
    def lists(self) -> ListStore:
        """Accepted lists."""
        from geofence.state.lists import ListStore

        return ListStore(self.state_directory)

    @property
    def versions(self) -> VersionStore:
        """Histories of the accepted lists."""
        from geofence.state.versions import VersionStore

        return VersionStore(self.state_directory)

    @property
    def refusals(self) -> RefusalStore:
        """Lists that guards refuse."""
        from geofence.state.refusals import RefusalStore

        return RefusalStore(self.state_directory)

    @property
    def generations(self) -> GenerationStore:
        """Recorded rulesets."""
        from geofence.state.generations import GenerationStore

        return GenerationStore(self.state_directory)

    @property
    def bans(self) -> BanStore:
        """Bans on disk."""
        from geofence.state.bans import BanStore

        return BanStore(self.state_directory)

    @property
    def timed(self) -> TimedStore:
        """Exceptions for a time, on disk."""
        from geofence.state.timed import TimedStore

        return TimedStore(self.state_directory)

    @property
    def journal(self) -> Journal:
        """The last outcome, and a pending confirmation."""
        from geofence.state.outcomes import Journal

        return Journal(self.state_directory)

    def log_change(self, command: str, what: str, generation: int | None = None) -> None:
        """Log a change to the system log, with the command and the user.

        Args:
            command: the verb with its arguments, or what acts without one.
            what: the change, as a clause in English.
            generation: number of the current one; None for none.
        """
        if self.log_changes:
            from geofence.host.system_log import log_change

            log_change(command, what, generation)

    def tidy(self) -> None:
        """Remove files that killed runs left half-written; the caller holds the lock."""
        from geofence.state.files import clean_debris

        for directory in (self.state_directory, self.rules_directory):
            clean_debris(directory)

    @property
    def readings(self) -> ReadingStore:
        """The reading of Asterisk's configuration that is in force."""
        from geofence.state.following import ReadingStore

        return ReadingStore(self.state_directory)

    def policy(self) -> Policy:
        """Load the rules, with what follows from Asterisk's configuration as it is in force.

        Raises:
            RulesError: they do not load.
        """
        rules = self.rules()
        if not rules.asterisk.enabled:
            return rules
        from geofence.operations.reading_in_force import with_reading

        return with_reading(self.readings, rules)

    def rules(self) -> Policy:
        """Load the rules; what has ended by now is not allowed.

        Raises:
            RulesError: they do not load.
        """
        from geofence.policy import load_policy

        loaded = load_policy(
            self.rules_directories, all_must_exist=self.rules_required, drafts=self.drafts
        )
        return loaded.at(datetime.now(UTC))

    def policy_without_switches(self) -> Policy:
        """Load the rules without the file of the command line.

        Raises:
            RulesError: they do not load.
        """
        from geofence.policy import load_policy

        return load_policy(
            self.rules_directories, all_must_exist=self.rules_required, by_hand=False
        )

    def shipped_policy(self) -> Policy:
        """Load the shipped rules alone.

        Raises:
            RulesError: they do not load.
        """
        from geofence.policy import load_policy

        return load_policy(self.rules_directories[:1])

    def choose_backend(self, wanted: BackendChoice, newest: Generation | None = None) -> Chosen:
        """Return the backend to use, given the rules' choice.

        Args:
            wanted: what the rules say.
            newest: the newest generation, if it was read already.

        Raises:
            BackendUnavailable: it cannot work here.
        """
        from geofence.model.chosen import ChosenBy

        holder = newest.backend if newest else self._holder()
        return self._choose(wanted, ChosenBy.RULES, holder)

    def choose_again(self, generation: Generation, *, rivals: bool = True) -> Chosen:
        """Return the backend that held a generation, or any that works if that one cannot.

        Args:
            generation: the generation.
            rivals: whether to look for programs that speak against that backend, which reads the
                files of all that starts here.

        Raises:
            BackendUnavailable: none can.
        """
        from geofence.model.choices import BackendChoice
        from geofence.model.chosen import ChosenBy

        try:
            before = BackendChoice(generation.backend)
            holder, number = generation.backend, generation.number
            return self._choose(before, ChosenBy.GENERATION, holder, number, rivals=rivals)
        except (BackendUnavailable, ValueError):
            return self._choose(BackendChoice.AUTO, ChosenBy.AUTOMATIC, generation.backend)

    def choose_holder(self, generation: Generation) -> Chosen:
        """Return the backend that holds the fence now, for a generation of perhaps another.

        Raises:
            BackendUnavailable: none can.
        """
        newest, _ = self.generations.newest()
        return self.choose_again(newest or generation)

    def _holder(self) -> str | None:
        """Return the name of the newest generation's backend, which every run keeps."""
        try:
            newest, _ = self.generations.newest()
        except StateError:
            return None
        return newest.backend if newest else None

    def _choose(
        self,
        wanted: BackendChoice,
        by: ChosenBy,
        holder: str | None,
        generation: int | None = None,
        *,
        rivals: bool = True,
    ) -> Chosen:
        from geofence.backends.registry import choose
        from geofence.model.chosen import ChosenBy

        if self.backend is not None:
            return choose(self.backend, ChosenBy.OPTION, holder)
        return choose(wanted, by, holder, generation, rivals=rivals)
