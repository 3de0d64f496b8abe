"""``mirror``: the lists of this host, signed, in a directory that a web server gives to others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from geofence.errors import GeofenceError, ListError, MirrorError, StateError, UsageError
from geofence.host.acl import read_acl
from geofence.lists import apiban
from geofence.merge import needed_lists
from geofence.mirror import index as index_file
from geofence.mirror.index import NAME, Entry, Index, Part, is_body_name
from geofence.mirror.signature import SigningKey, new_key, signed, signing_key
from geofence.model.digest import sha256_of
from geofence.model.frozen import dataclass, replace
from geofence.model.lists import AcceptedList, ListId
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Policy, Publishing
from geofence.operations.site import Site
from geofence.state.files import (
    clean_debris,
    ensure_private_directory,
    read_if_there,
    read_trusted,
    require_trust,
    state_error,
    write_atomically,
)
from geofence.state.lock import exclusive
from geofence.translation import tr

_READABLE = 0o644
"""Permissions of what a web server reads."""
_LISTED = 0o755
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_HEAD_LINES = 4
"""Of the signature before an index."""

Body = tuple[Part, bytes]


@dataclass(frozen=True, slots=True)
class Published:
    """A mirror that was written."""

    directory: str
    public_key: str
    index: Index
    left_out: tuple[ListId, ...] = ()
    """Lists of the rules that have not been downloaded yet."""
    withheld: tuple[ListId, ...] = ()
    """Lists of the rules that may be for whoever has a key; see ``[mirror] keyed``."""


def make_key(path: Path) -> SigningKey:
    """Make a pair of keys, and write the secret one.

    Raises:
        MirrorError: the library for it is not installed.
        StateError: the file is there already, or cannot be written.
    """
    key = new_key()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file, _removed_if_unfinished(path):
            os.fchmod(handle, 0o600)
            file.write(key.secret)
            file.flush()
            os.fsync(handle)
    except FileExistsError as error:
        raise StateError(
            tr("{path} is there already. A key is not overwritten; choose another path.", path=path)
        ) from error
    except OSError as error:
        raise state_error("written", path, error) from error
    return key


@contextmanager
def _removed_if_unfinished(path: Path) -> Iterator[None]:
    """Remove a new file that could not be written, so that it can be tried again."""
    try:
        yield
    except OSError:
        path.unlink(missing_ok=True)
        raise


def publish(site: Site) -> Published:
    """Write the stored lists of the rules into the directory of ``[mirror]``, and sign them.

    Others find either the index of before or the new one, and the lists of both.

    Raises:
        BusyError: another run holds the lock.
        MirrorError: the key cannot be used.
        RulesError: the rules do not load.
        StateError: not everything could be written; the index is that of before.
        UsageError: the rules have no [mirror].
    """
    policy = site.policy()
    if not policy.publishing.directory:
        raise UsageError(
            tr(
                "The rules have no [mirror]. Add 'directory' and 'key_file' to it; "
                "'geofence mirror --new-key FILE' makes a key."
            )
        )
    ensure_private_directory(site.state_directory)
    with exclusive(site.state_directory, site.lock_seconds):
        return _written(site, policy, datetime.now(UTC))


def publish_if_asked(site: Site) -> tuple[Note, ...]:
    """Publish if the rules say so, as each refresh does; a failure is a note."""
    directory = ""
    try:
        directory = site.policy().publishing.directory
        withheld = publish(site).withheld if directory else ()
    except GeofenceError as error:
        if not directory:  # the rules do not load, which the run itself tells
            return ()
        return (Note(NoteKind.MIRROR_NOT_WRITTEN, directory, {"message": str(error)}),)
    return (withheld_note(directory, withheld),) if withheld else ()


def withheld_note(directory: str, withheld: Iterable[ListId]) -> Note:
    """Return the note on lists that are not given to others."""
    return Note(NoteKind.MIRROR_WITHHOLDS, directory, {"lists": list(map(str, withheld))})


def _written(site: Site, policy: Policy, now: datetime) -> Published:
    asked = policy.publishing
    key = _key(asked.key_file)
    directory = Path(asked.directory)
    _make(directory)
    clean_debris(directory)
    before = _before(directory)
    wanted = [name for name in needed_lists(policy) if is_published(name, policy)]
    stored = {name: site.lists.bodies(name) for name in wanted}
    withheld = () if asked.keyed else tuple(_keyed(stored))
    stored = {name: each for name, each in stored.items() if name not in withheld}
    bodies = {name: _bodies(*each) for name, each in stored.items() if each is not None}
    made = _index(before, asked, now)
    lists = {
        name: Entry(stored_list[0].checked_at, tuple(part for part, _ in bodies[name]))
        for name, stored_list in stored.items()
        if stored_list is not None
    }
    made = replace(made, lists=lists)
    for part, content in (body for each in bodies.values() for body in each):
        _write_body(directory / part.path, content)
    write_atomically(directory / NAME, signed(index_file.written(made), key), _READABLE)
    _prune(directory / "lists", made.paths | (before.paths if before else frozenset()))
    left_out = tuple(name for name, each in stored.items() if each is None)
    return Published(asked.directory, key.public, made, left_out, withheld)


def is_published(name: ListId, policy: Policy) -> bool:
    """Whether a mirror has a list: not names of DNS, nor what a source gives to one key only."""
    blocklist = policy.blocklist(name)
    return not name.kind.is_from_dns and (blocklist is None or blocklist.format != apiban.NAME)


def _keyed(
    stored: Mapping[ListId, tuple[AcceptedList, Iterable[bytes]] | None],
) -> Iterator[ListId]:
    """Yield the lists that came from a URL with a query, which may be a licence key.

    What is fetched by a key is as a rule not to be given to others, and nobody would notice.
    """
    for name, each in stored.items():
        if each is not None and any(urlsplit(part.url).query for part in each[0].provenance):
            yield name


def _index(before: Index | None, asked: Publishing, now: datetime) -> Index:
    """Return a new index without lists; its serial number is the time, or higher.

    So a mirror that was made anew, without its directory, goes on with a higher one.
    """
    serial = max(int(now.timestamp()), before.serial + 1 if before else 0)
    return Index(serial, now, now + asked.expires, {})


def _bodies(accepted: AcceptedList, contents: Iterable[bytes]) -> tuple[Body, ...]:
    parts = zip(accepted.provenance, contents, strict=True)
    return tuple(
        (
            Part(
                sha256_of(content),
                len(content),
                part.family,
                part.format,
                part.published_at,
                part.copyright,
            ),
            content,
        )
        for part, content in parts
    )


def _key(path: str) -> SigningKey:
    """Read the secret key.

    Raises:
        MirrorError: others can read it, or it is not a key. No message has any part of it.
    """
    try:
        content = read_trusted(Path(path))
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise state_error("read", Path(path), error) from error
    if mode & _OTHERS:
        raise MirrorError(
            tr("The key {path} can be read by others. Type 'chmod 600 {path}'.", path=path)
        )
    try:
        return signing_key(content)
    except MirrorError as error:
        raise MirrorError(
            tr("The key {path} cannot be used. {reason}", path=path, reason=error)
        ) from error


def _make(directory: Path) -> None:
    """Make the directories, and see that nobody else can write to them or exchange them.

    Raises:
        StateError: they cannot be made, or others can write to them or exchange them.
    """
    for each in (directory, directory / "lists"):
        try:
            if not each.exists():
                each.mkdir()
                each.chmod(_LISTED)
            require_trust(each, each.stat(), read_acl(each))
        except OSError as error:
            raise state_error("made", each, error) from error


def _before(directory: Path) -> Index | None:
    """Return the index that is there; None if there is none that can be read."""
    try:
        document = read_if_there(directory / NAME) or b""
        return index_file.read(document.split(b"\n", _HEAD_LINES)[-1])
    except (ListError, StateError):
        return None


def _write_body(path: Path, content: bytes) -> None:
    """Write a body, unless it is there already.

    Raises:
        StateError: it could not be written.
    """
    try:
        if read_if_there(path) == content:
            return
    except StateError:  # whatever it is, it is replaced
        pass
    write_atomically(path, content, _READABLE)


def _prune(directory: Path, kept: Iterable[str]) -> None:
    """Remove bodies that neither the index nor the one before it has.

    Hosts that have read the index of before still find its lists.
    """
    names = {Path(each).name for each in kept}
    with suppress(OSError):  # what is left over does no harm
        for path in _bodies_in(directory):
            if path.name not in names:
                path.unlink(missing_ok=True)


def _bodies_in(directory: Path) -> Iterator[Path]:
    """Yield the files with names of bodies; the directory may have files of others, too."""
    found = (each for each in sorted(directory.iterdir()) if is_body_name(each.name))
    return (each for each in found if each.is_file() and not each.is_symlink())
