"""What the fence counted over time: by the hour for a week, by the day for a year.

The kernel's counters begin anew with each boot, with rules that are made anew and with another
backend. What they gained between two looks is added up here, so that no such event loses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum

from geofence.model.frozen import NamedTuple, dataclass, field
from geofence.model.prefixes import Family


class Counted(StrEnum):
    """What is counted, each by name. The values are stored."""

    SERVICE = "service"
    """Packets that the rules of a service dropped, or would have if it is observed."""
    SOURCES = "sources"
    """Packets of noted sources, by service and family: in a flood, a sample."""
    COUNTRY = "country"
    """The same by the code of the source's country; the name is empty where no list has it."""
    EXCEPTION = "exception"
    """Packets that an exception let pass."""
    BANS = "bans"
    """Bans that last, all together; their packets are those that they dropped."""


class CountKey(NamedTuple):
    """One counter."""

    counted: Counted
    name: str = ""
    family: Family | None = None
    """None: both together."""


class Tally(NamedTuple):
    """What was counted."""

    packets: int = 0
    octets: int = 0
    sources: int = 0
    """Distinct sources, or bans at once: the most that one look found."""

    def plus(self, other: Tally) -> Tally:
        """Return both together: packets and octets add up, of sources the higher number counts."""
        return Tally(
            self.packets + other.packets,
            self.octets + other.octets,
            max(self.sources, other.sources),
        )


Tallies = Mapping[CountKey, Tally]


class Resolution(Enum):
    """The lengths of time by which is counted."""

    HOUR = (timedelta(hours=1), timedelta(days=7))
    DAY = (timedelta(days=1), timedelta(days=366))

    @property
    def length(self) -> timedelta:
        """An hour or a day."""
        return self.value[0]

    @property
    def seconds(self) -> int:
        """The same in seconds."""
        return int(self.length.total_seconds())

    @property
    def kept(self) -> timedelta:
        """For how long it is kept."""
        return self.value[1]

    def start(self, moment: datetime) -> datetime:
        """Return when the hour or the day of a moment began, UTC."""
        seconds = int(moment.timestamp())
        return datetime.fromtimestamp(seconds - seconds % self.seconds, UTC)


def gained(before: Tallies, now: Tallies) -> dict[CountKey, Tally]:
    """Return what counters of the kernel gained between two looks.

    One that is lower than before began anew, so all that it shows was gained.
    """
    found = {}
    for key, tally in now.items():
        then = before.get(key, Tally())
        anew = tally.packets < then.packets or tally.octets < then.octets
        more = (
            tally
            if anew
            else tally._replace(
                packets=tally.packets - then.packets, octets=tally.octets - then.octets
            )
        )
        if more.packets or more.octets or more.sources:
            found[key] = more
    return found


@dataclass(frozen=True, slots=True)
class Period:
    """An hour or a day, with what was counted in it."""

    start: datetime
    """UTC."""
    tallies: Tallies = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counts:
    """All that was counted."""

    since: datetime | None = None
    """When counting began, UTC; None: never."""
    until: datetime | None = None
    """The last look, UTC."""
    hours: tuple[Period, ...] = ()
    """Those in which something was counted, oldest first; of the last week."""
    days: tuple[Period, ...] = ()
    """The same of the last year."""
    totals: Tallies = field(default_factory=dict)
    """Since counting began."""

    def lately(self, since: datetime) -> dict[CountKey, Tally]:
        """Return what was counted from a moment on, to the hour, or to the day before a week.

        Sources are the most of any one hour or day: the same source may come in many.
        """
        oldest_hour = self.until - Resolution.HOUR.kept if self.until else since
        periods = self.hours if since >= oldest_hour else self.days
        span = Resolution.HOUR if periods is self.hours else Resolution.DAY
        found: dict[CountKey, Tally] = {}
        for period in periods:
            if period.start >= span.start(since):
                for key, tally in period.tallies.items():
                    found[key] = found.get(key, Tally()).plus(tally)
        return found
