"""Counts over time on disk: what each hour and day brought, and where the kernel's counters stood.

One SQLite database, since each look changes a few of many rows, and all or none of them. Counts
decide nothing: a damaged database is put aside, and counting begins anew.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from geofence.denied.sources import Sources
from geofence.errors import StateError
from geofence.model.counts import (
    Counted,
    CountKey,
    Counts,
    Period,
    Resolution,
    Tallies,
    Tally,
)
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family
from geofence.state.files import PRIVATE_FILE, require_trusted, state_error
from geofence.translation import tr

FORMAT = 1
_WAIT = 5.0
"""Seconds to wait for another run that writes."""
_HALF = 64
"""Bits of an IPv6 address that a source has: it is noted by its /64 network."""

_TABLES = """
CREATE TABLE IF NOT EXISTS tally (
    seconds INTEGER, start INTEGER, counted TEXT, name TEXT, family TEXT,
    packets INTEGER, octets INTEGER, sources INTEGER,
    PRIMARY KEY (seconds, start, counted, name, family)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS look (
    counted TEXT, name TEXT, family TEXT, packets INTEGER, octets INTEGER,
    PRIMARY KEY (counted, name, family)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS source (
    service TEXT, family TEXT, networks BLOB, packets BLOB, octets BLOB,
    PRIMARY KEY (service, family)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
_FOR_EVER = 0
"""Stands for the length of a period that never ends."""
_ADD = """
INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    packets = packets + excluded.packets, octets = octets + excluded.octets,
    sources = max(sources, excluded.sources)
"""


class Look(NamedTuple):
    """Where the kernel's counters stood when they were last read."""

    at: datetime | None = None
    """UTC; None: never."""
    boot: str = ""
    """ID of the boot in which that was; counters do not survive another."""
    tallies: Tallies = MappingProxyType({})
    sources_at: datetime | None = None
    """When noted sources were last read, UTC, which is done more seldom."""

    def of(self, boot: str, *counted: Counted) -> Tallies:
        """Return where counters of some kinds stood; nowhere in another boot.

        Args:
            boot: ID of the present boot.
            counted: the kinds.
        """
        if self.boot != boot:
            return {}
        return {key: each for key, each in self.tallies.items() if key.counted in counted}


class CountStore:
    """Counts of one installation."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "counts.sqlite"

    def last(self) -> Look:
        """Return the last look.

        Raises:
            StateError: the database cannot be read or trusted.
        """
        if not self.path.exists():
            return Look()
        with self._opened() as database:
            facts = dict(database.execute("SELECT name, value FROM fact"))
            rows = database.execute("SELECT counted, name, family, packets, octets FROM look")
            return Look(
                _moment(facts.get("at")),
                facts.get("boot", ""),
                {_key(*row[:3]): Tally(*row[3:]) for row in rows},
                _moment(facts.get("sources_at")),
            )

    def sources(self) -> tuple[Sources, ...]:
        """Return the noted sources of the last look at them.

        Raises:
            StateError: as above.
        """
        if not self.path.exists():
            return ()
        with self._opened() as database:
            rows = database.execute("SELECT service, family, networks, packets, octets FROM source")
            return tuple(_unpacked(*row) for row in rows)

    def add(
        self,
        look: Look,
        gains: Mapping[Resolution | None, Tallies],
        sources: Iterable[Sources] | None = None,
        after: Look | None = None,
    ) -> bool:
        """Add what was gained, and remember where the counters stand now: all or nothing.

        Args:
            look: where they stand.
            gains: what is new in the hour, in the day, and (None) since counting began.
            sources: noted sources as they stand; None: not read this time.
            after: the look since which that was gained; None: whichever is the last.

        Returns:
            Whether it was added: not if another process has looked since ``after``, and so may have
            added the same.

        Raises:
            StateError: the database could not be written; nothing was added.
        """
        if look.at is None:
            return False
        with self._opened() as database:
            database.execute("BEGIN IMMEDIATE")  # nobody writes between the question and the rest
            if after is not None and _looked(database) != after.at:
                return False
            for resolution, tallies in gains.items():
                length = resolution.seconds if resolution else _FOR_EVER
                start = int(resolution.start(look.at).timestamp()) if resolution else 0
                rows = ((length, start, *_row(key), *each) for key, each in tallies.items())
                database.executemany(_ADD, rows)
            database.execute("DELETE FROM look")
            database.executemany(
                "INSERT INTO look VALUES (?, ?, ?, ?, ?)",
                ((*_row(key), each.packets, each.octets) for key, each in look.tallies.items()),
            )
            if sources is not None:
                database.execute("DELETE FROM source")
                packed = map(_packed, sources)
                database.executemany("INSERT INTO source VALUES (?, ?, ?, ?, ?)", packed)
            _note(database, look)
            _forget_old(database, look.at)
        return True

    def read(self) -> Counts:
        """Return all counts.

        Raises:
            StateError: the database cannot be read or trusted.
        """
        if not self.path.exists():
            return Counts()
        with self._opened() as database:
            facts = dict(database.execute("SELECT name, value FROM fact"))
            found: defaultdict[tuple[int, int], dict[CountKey, Tally]] = defaultdict(dict)
            for length, start, *key, packets, octets, sources in database.execute(
                "SELECT * FROM tally ORDER BY seconds, start"
            ):
                found[length, start][_key(*key)] = Tally(packets, octets, sources)
        return Counts(
            _moment(facts.get("since")),
            _moment(facts.get("at")),
            _periods(found, Resolution.HOUR),
            _periods(found, Resolution.DAY),
            found.get((_FOR_EVER, 0), {}),
        )

    def put_aside(self) -> Path:
        """Rename a damaged database, so that counting begins anew, and return its new path.

        Raises:
            StateError: it could not be renamed.
        """
        aside = self.path.with_name(f"{self.path.name}.damaged")
        try:
            self.path.replace(aside)
        except OSError as error:
            raise state_error("written", self.path, error) from error
        return aside

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the database in one transaction, which is kept if nothing is raised."""
        try:
            if self.path.exists():
                require_trusted(self.path)
            else:
                self.path.touch(PRIVATE_FILE)
            with closing(sqlite3.connect(self.path, timeout=_WAIT)) as database:
                database.executescript(_TABLES)
                with database:
                    yield database
        except OSError as error:
            raise state_error("written", self.path, error) from error
        except sqlite3.OperationalError as error:  # busy, full, read-only
            raise StateError(
                tr("{path} could not be used: {error}.", path=self.path, error=error)
            ) from error
        except (sqlite3.DatabaseError, ValueError, OverflowError) as error:
            raise DamagedCountsError(
                tr("{path} is damaged: {error}.", path=self.path, error=error)
            ) from error


class DamagedCountsError(StateError):
    """The database holds something else than counts."""


def _row(key: CountKey) -> tuple[str, str, str]:
    return key.counted, key.name, key.family or ""


def _key(counted: str, name: str, family: str) -> CountKey:
    return CountKey(Counted(counted), name, Family(family) if family else None)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _periods(
    found: Mapping[tuple[int, int], Tallies], resolution: Resolution
) -> tuple[Period, ...]:
    return tuple(
        Period(datetime.fromtimestamp(start, UTC), tallies)
        for (length, start), tallies in found.items()
        if length == resolution.seconds
    )


def _looked(database: sqlite3.Connection) -> datetime | None:
    """Return when the counters were read last, UTC."""
    found = database.execute("SELECT value FROM fact WHERE name = 'at'").fetchone()
    return _moment(found[0]) if found else None


def _note(database: sqlite3.Connection, look: Look) -> None:
    at = look.at.isoformat() if look.at else ""
    facts = {"at": at, "boot": look.boot, "format": str(FORMAT)}
    if look.sources_at:
        facts["sources_at"] = look.sources_at.isoformat()
    database.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts.items())
    database.execute("INSERT OR IGNORE INTO fact VALUES ('since', ?)", (at,))


def _forget_old(database: sqlite3.Connection, now: datetime) -> None:
    for each in Resolution:
        oldest = int((now - each.kept).timestamp())
        database.execute(
            "DELETE FROM tally WHERE seconds = ? AND start < ?", (each.seconds, oldest)
        )


def _packed(part: Sources) -> tuple[str, str, bytes, bytes, bytes]:
    shift = _HALF if part.family is Family.IPV6 else 0
    columns = ([each >> shift for each in part.networks], part.packets, part.octets)
    networks, packets, octets = (array("Q", each).tobytes() for each in columns)
    return part.service, part.family, networks, packets, octets


def _unpacked(service: str, family: str, *blobs: bytes) -> Sources:
    networks, packets, octets = (array("Q", blob).tolist() for blob in blobs)
    shift = _HALF if family == Family.IPV6 else 0
    return Sources(service, Family(family), [each << shift for each in networks], packets, octets)
