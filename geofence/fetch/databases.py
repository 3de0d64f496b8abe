"""Databases of all countries: fetched and read once a run, however many countries are wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping

from geofence.errors import ListError
from geofence.fetch.answers import Body, NotModified, PauseError
from geofence.fetch.urls import public
from geofence.lists.formats import cut_out
from geofence.model.digest import sha256_of
from geofence.model.frozen import dataclass
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.prefixes import Family
from geofence.translation import join, tr


@dataclass(frozen=True, slots=True)
class Extract:
    """The list of one country, cut out of a database."""

    content: bytes
    etag: str | None
    """Of the database."""
    sha256: str
    """Of the database."""
    format: str
    """Name of the database's format."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where a database is."""

    url: str
    family: Family | None
    """The family that it is for; None for both."""
    format: str | None
    """Name of its format; None to find it out."""


class _Read:
    """What one reading of a database gave."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answer: Mapping[str, Extract] | NotModified | None = None
        """By country's code; None before the reading."""
        self.error: ListError | None = None


class Databases:
    """The databases of one run, shared by its workers."""

    def __init__(self, wanted: Collection[ListId], accepted: Mapping[ListId, AcceptedList]) -> None:
        """Begin a run.

        Args:
            wanted: all lists of the run.
            accepted: the stored versions.
        """
        self._codes = [each.name for each in wanted if each.kind is ListKind.COUNTRY]
        self._stored = [accepted.get(each) for each in wanted if each.kind is ListKind.COUNTRY]
        self._lock = threading.Lock()
        self._read: dict[tuple[Database, bool], _Read] = {}

    def ask(
        self,
        code: str,
        database: Database,
        fetch: Callable[[str | None], Body | NotModified],
        *,
        whole: bool = False,
    ) -> Extract | NotModified:
        """Return the list of a country; its database is fetched and read once for all.

        Args:
            code: of the country.
            database: where it is.
            fetch: gets the database, unless it has the given ETag.
            whole: whether the lists are needed although the stored ones are unchanged.

        Raises:
            PauseError: the host asks for a pause.
            ListError: it could not be fetched or read, or does not have the country.
        """
        with self._lock:
            read = self._read.setdefault((database, whole), _Read())
        with read.lock:
            if read.answer is None and read.error is None:
                try:
                    read.answer = self._answer(database, fetch, whole=whole)
                except PauseError:
                    raise
                except ListError as error:
                    read.error = error
        if read.error is not None:
            raise ListError(*read.error.args) from read.error
        if read.answer is None or isinstance(read.answer, NotModified):
            return NotModified()
        if code not in read.answer:
            raise ListError(
                tr(
                    "{url}: the database has no network of {country}.",
                    url=public(database.url),
                    country=code,
                )
            )
        return read.answer[code]

    def _answer(
        self, database: Database, fetch: Callable[[str | None], Body | NotModified], *, whole: bool
    ) -> Mapping[str, Extract] | NotModified:
        known = set() if whole else self._known(database)
        etags, hashes = {etag for etag, _ in known}, {sha256 for _, sha256 in known}
        body = fetch(etags.pop() if len(etags) == 1 else None)
        if isinstance(body, NotModified):
            return body
        sha256 = sha256_of(body.content)
        if hashes == {sha256}:
            return NotModified()
        try:
            name, lists = cut_out(body.content, database.family, self._codes, database.format)
        except ListError as error:
            raise ListError(join(": ", (public(database.url), str(error)))) from error
        return {code: Extract(content, body.etag, sha256, name) for code, content in lists.items()}

    def _known(self, database: Database) -> set[tuple[str | None, str]]:
        """Return the ETag and hash of the stored versions; more than one if they differ."""
        nothing = (None, "")
        return {
            next(
                (
                    (part.etag, part.sha256)
                    for part in (stored.provenance if stored else ())
                    if (part.url, part.family) == (database.url, database.family)
                    and database.format in (None, part.format)
                ),
                nothing,
            )
            for stored in self._stored
        }
