"""The world index on disk: one file, of which a lookup reads a few pages.

It is a sealed head (see ``records``), then a body. The head has what every lookup needs: when the
index was made, all labels, and how long the columns of each family are. The body has the columns
one after the other, in this machine's byte order, and a line of JSON with the provenance of every
list.

Opening checks the head's checksum and the length of the body, which takes the same time for any
size. So a damaged head, a foreign file and one that was cut short are always noticed. The checksum
of the body, which the head has, is compared where all of it is read anyway: after writing, before a
renewal that takes over lists, by ``geofence atlas``, and for any caller who asks for it. Elsewhere
a damaged column may give a wrong country, or raise ``StateError``. No packet depends on it.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from datetime import datetime
from mmap import mmap
from pathlib import Path
from sys import byteorder
from typing import TYPE_CHECKING, Any

from geofence.errors import StateError
from geofence.geoip.atlas import HALF, LABEL, NUMBER, Atlas, Code, Column, Label, Pieces
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family
from geofence.state.files import (
    ensure_private_directory,
    map_if_there,
    write_atomically,
)
from geofence.state.records import (
    COUNT,
    DAMAGE,
    FLAG,
    MOMENT,
    TEXT,
    Codec,
    RecordError,
    damaged,
    items,
    many,
    objects,
    seal,
    unseal,
)
from geofence.translation import tr

if TYPE_CHECKING:
    from geofence.model.lists import Provenance

FORMAT = 1


class _Lengths(NamedTuple):
    """The columns of one family."""

    pieces: int
    lowers: bool
    """Whether there are lower halves of addresses."""


class _Head(NamedTuple):
    """What every lookup needs."""

    made_at: datetime
    byte_order: str
    labels: tuple[Label, ...]
    ipv4: _Lengths
    ipv6: _Lengths
    body_bytes: int
    body_sha256: str

    def columns(self, family: Family) -> Iterator[tuple[Code, int]]:
        """Yield the type of each column of a family, and its length in bytes."""
        lengths = self.ipv4 if family is Family.IPV4 else self.ipv6
        halves: tuple[Code, ...] = (HALF, HALF) if lengths.lowers else (HALF,)
        codes = (NUMBER,) if family is Family.IPV4 else halves
        for code in (*codes, LABEL):
            yield code, lengths.pieces * array(code).itemsize

    @property
    def columns_bytes(self) -> int:
        """Length of all columns."""
        return sum(length for family in Family for _, length in self.columns(family))

    @property
    def is_consistent(self) -> bool:
        """Whether every address has a piece, and the body is long enough for all columns."""
        return (
            min(self.ipv4.pieces, self.ipv6.pieces) > 0
            and self.labels[:1] == ((),)
            and self.columns_bytes <= self.body_bytes
        )


_LENGTHS = objects(_Lengths, pieces=COUNT, lowers=FLAG)
_HEAD = objects(
    _Head,
    made_at=MOMENT,
    byte_order=TEXT,
    labels=many(many(TEXT)),
    ipv4=_LENGTHS,
    ipv6=_LENGTHS,
    body_bytes=COUNT,
    body_sha256=TEXT,
)
_CODES = many(TEXT)


def _origins() -> Codec[tuple[Provenance, ...]]:
    # Not at the top: lookups need no parser of lists.
    from geofence.state.lists import PROVENANCE

    return many(PROVENANCE)


class StoredAtlas(NamedTuple):
    """An index with the provenance of its lists."""

    atlas: Atlas
    lists: Mapping[str, tuple[Provenance, ...]]
    """Of each country's list, by its code."""
    failed: tuple[str, ...] = ()
    """Codes of the countries whose lists could not be renewed when the index was made."""
    size: int = 0
    """Bytes of the file."""


def open_atlas(state_directory: Path, *, whole: bool = False) -> Atlas | None:
    """Return the index for lookups; None if there is none.

    Args:
        state_directory: where it is.
        whole: whether to check every byte, which takes some milliseconds; else the head only.

    Raises:
        StateError: it is damaged, of another format, or cannot be read or trusted.
    """
    path = atlas_path(state_directory)
    content = map_if_there(path)
    if content is None:
        return None
    try:
        return _atlas(*_checked(content, whole=whole))
    except RecordError as error:
        raise _unusable(path, error) from error


def load_atlas(state_directory: Path) -> StoredAtlas | None:
    """Return the index with the provenance of its lists, every byte checked; None if there is none.

    Raises:
        StateError: it is damaged, of another format, or cannot be read or trusted.
    """
    path = atlas_path(state_directory)
    content = map_if_there(path)
    if content is None:
        return None
    try:
        head, body = _checked(content, whole=True)
        tail = bytes(body[head.columns_bytes :])
        return _stored(_atlas(head, body), tail, len(content))
    except RecordError as error:
        raise _unusable(path, error) from error


def save_atlas(state_directory: Path, stored: StoredAtlas) -> StoredAtlas:
    """Write an index and return it as it can be read; the caller holds the lock.

    Raises:
        StateError: it could not be written; the previous one is unchanged.
    """
    ensure_private_directory(state_directory)
    write_atomically(atlas_path(state_directory), encode_atlas(stored))
    return load_atlas(state_directory) or stored


def atlas_path(state_directory: Path) -> Path:
    """Return the index's file."""
    return state_directory / "atlas"


def encode_atlas(stored: StoredAtlas) -> bytes:
    """Return the content of the file."""
    atlas = stored.atlas
    columns = [column.tobytes() for family in Family for column in _columns(atlas[family])]
    write = _origins().write
    lists = {code: write(parts) for code, parts in stored.lists.items()}
    tail = json.dumps({"lists": lists, "failed": _CODES.write(stored.failed)}).encode()
    body = b"".join((*columns, tail))
    import hashlib  # takes longer than all else of a run that finds no index

    digest = hashlib.sha256(body).hexdigest()
    ipv4, ipv6 = (_lengths(atlas[family]) for family in Family)
    head = _Head(atlas.made, byteorder, atlas.labels, ipv4, ipv6, len(body), digest)
    return seal(FORMAT, json.dumps(_HEAD.write(head)).encode()) + b"\n" + body


def _lengths(pieces: Pieces) -> _Lengths:
    return _Lengths(len(pieces.firsts), pieces.lowers is not None)


def _columns(pieces: Pieces) -> Iterator[Column]:
    yield pieces.firsts
    if pieces.lowers is not None:
        yield pieces.lowers
    yield pieces.labels


def _checked(content: mmap | bytes, *, whole: bool) -> tuple[_Head, memoryview]:
    """Return the head and the body of a file.

    Raises:
        RecordError: they are damaged, or cannot be used here; the message says which.
    """
    sealed = content.find(b"\n", content.find(b"\n") + 1)
    _, facts = unseal(content[: max(sealed, 0)], FORMAT)
    try:
        head = _HEAD.read(json.loads(facts))
    except DAMAGE as error:
        raise damaged() from error
    body = memoryview(content)[sealed + 1 :]
    if head.byte_order != byteorder:
        raise RecordError(tr("It was made on a machine with another byte order."))
    if len(body) != head.body_bytes or not head.is_consistent:
        raise damaged()
    import hashlib  # takes longer than all else of a run that finds no index

    if whole and hashlib.sha256(body).hexdigest() != head.body_sha256:
        raise RecordError(tr("Its checksum does not match its content."))
    return head, body


def _atlas(head: _Head, body: memoryview) -> Atlas:
    found: dict[Family, Pieces] = {}
    at = 0
    for family in Family:
        columns = []
        for code, length in head.columns(family):
            columns.append(body[at : at + length].cast(code))
            at += length
        firsts, *lowers, labels = columns
        shift = family.bits - 8 * firsts.itemsize
        found[family] = Pieces(shift, firsts, lowers[0] if lowers else None, labels)
    return Atlas(head.made_at, head.labels, found[Family.IPV4], found[Family.IPV6])


def _stored(atlas: Atlas, tail: bytes, size: int) -> StoredAtlas:
    """Return the index with the lists that the end of the file has.

    Raises:
        RecordError: that end is damaged.
    """
    try:
        facts: dict[str, Any] = json.loads(tail)
        read = _origins().read
        lists = {code: read(parts) for code, parts in facts["lists"].items()}
        return StoredAtlas(atlas, lists, _CODES.read(items(facts["failed"])), size)
    except DAMAGE as error:
        raise damaged() from error


def _unusable(path: Path, error: RecordError) -> StateError:
    return StateError(
        tr(
            "The world index {path} cannot be used. {why} Run 'geofence atlas --renew'.",
            path=path,
            why=error.args[0],
        )
    )
