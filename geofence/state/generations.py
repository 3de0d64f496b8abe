"""Recorded rulesets, in a form that ``restore`` loads without parsing lists.

A generation is one file: a line of JSON (format, checksum, rules, names and lengths of the sets),
then the sets' intervals as packed integers in network order, first and last address each. A file
that is damaged is named and passed over for the one before it; it is never obeyed.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import index
from pathlib import Path
from typing import Any, NamedTuple

from geofence.errors import StateError
from geofence.model.generation import Generation, ListNote
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family, Prefix, PrefixSet, pack_addresses, unpack_addresses
from geofence.model.ruleset import FencedService, LocalNetwork, Role, Ruleset, SetKey
from geofence.state.files import (
    ensure_private_directory,
    read_if_there,
    read_trusted,
    state_error,
    write_atomically,
)

FORMAT = 1
KEPT = 10
"""How many generations are kept at least."""
KEPT_FOR = timedelta(days=30)
"""How long a generation is kept, unless there are too many."""
MOST_KEPT = 60
"""How many are kept at most."""

_SUFFIX = ".generation"
_LONGEST_NUMBER = 15
"""Digits."""
_WRONG = (ValueError, LookupError, TypeError, ArithmeticError, RecursionError)
"""What reading facts raises that are not what they should be."""


def encode(generation: Generation) -> bytes:
    """The file's content."""
    ruleset = generation.ruleset
    keys = sorted(ruleset.sets, key=lambda key: key.name)
    packed = b"".join(_pack(ruleset.sets[key]) for key in keys)
    facts = {
        "number": generation.number,
        "created_at": generation.created_at.isoformat(),
        "reason": generation.reason,
        "backend": generation.backend,
        "services": [
            [
                s.name,
                [[p.protocol, p.first, p.last] for p in s.ports],
                s.allow_group,
                s.helpers,
                s.replies,
            ]
            for s in ruleset.services
        ],
        "restores": generation.restores,
        "interfaces": ruleset.interfaces,
        "local": [[n.interface, str(n.prefix)] for n in ruleset.local],
        "sets": [[k.role, k.group, k.family, len(ruleset.sets[k].bounds) // 2] for k in keys],
        "lists": [[n.name, n.checked_at.isoformat(), n.sha256] for n in generation.lists],
    }
    body = json.dumps(facts, separators=(",", ":")).encode() + b"\n" + packed
    return _head_of(body) + b"\n" + body


def _head_of(body: bytes) -> bytes:
    """The first line, which says what the rest is."""
    return json.dumps({"format": FORMAT, "sha256": hashlib.sha256(body).hexdigest()}).encode()


def decode(content: bytes) -> Generation:
    """The inverse of ``encode``.

    Raises:
        ValueError: the content is damaged or of another format; the message says which.
    """
    head, _, body = content.partition(b"\n")
    stated_format, checksum = _head(head)
    if stated_format != FORMAT:
        raise ValueError(f"has format {stated_format!r}, not {FORMAT}")
    if checksum != hashlib.sha256(body).hexdigest():
        raise ValueError("does not have the checksum it states")
    if head != _head_of(body):  # the same in other words is not what was written
        raise ValueError("is damaged")
    facts, _, packed = body.partition(b"\n")
    try:
        return _generation(json.loads(facts), packed)
    except (*_WRONG, AttributeError, OSError, struct.error) as error:
        raise ValueError("is damaged") from error


def _head(head: bytes) -> tuple[object, object]:
    try:
        stated = json.loads(head)
        return stated["format"], stated["sha256"]
    except _WRONG as error:
        raise ValueError("is damaged") from error


def _generation(facts: Mapping[str, Any], packed: bytes) -> Generation:
    sets: dict[SetKey, PrefixSet] = {}
    at = 0
    for role, group, family_name, count in facts["sets"]:
        key = SetKey(Role(role), group, Family(family_name))
        past = at + count * 2 * (key.family.bits // 8)
        sets[key] = _unpack(key.family, packed[at:past])
        at = past
    if at != len(packed):
        raise ValueError("There is more than the sets that were stated.")
    services = tuple(_service(*service) for service in facts["services"])
    interfaces = facts["interfaces"]
    if not isinstance(interfaces, list):
        raise TypeError("A list was expected.")
    return Generation(
        number=index(facts["number"]),
        created_at=_time(facts["created_at"]),
        reason=_text(facts["reason"]),
        backend=_text(facts["backend"]),
        ruleset=Ruleset(
            services,
            tuple(map(_text, interfaces)),
            sets,
            # Older files have none: what was local then is in their sets of exceptions.
            tuple(_local(*network) for network in facts.get("local", ())),
        ),
        lists=tuple(ListNote(_text(n), _time(t), _text(h)) for n, t, h in facts["lists"]),
        restores=None if (earlier := facts.get("restores")) is None else index(earlier),
    )


def _service(
    name: object,
    ranges: Iterable[Iterable[Any]],
    group: object,
    helpers: Iterable[object] = (),
    replies: object = True,
) -> FencedService:
    if not isinstance(replies, bool):
        raise TypeError("True or false was expected.")
    ports = tuple(_ports(*each) for each in ranges)
    return FencedService(_text(name), ports, _text(group), tuple(map(_text, helpers)), replies)


def _local(interface: object, prefix: object) -> LocalNetwork:
    address, _, length = _text(prefix).partition("/")
    family = Family.IPV6 if ":" in address else Family.IPV4
    network = int.from_bytes(socket.inet_pton(family.socket_family, address))
    found = Prefix(family, network, int(length))
    if (
        not 0 <= found.length <= family.bits
        or str(found) != prefix
        or network % (found.past - network)
    ):
        raise ValueError("A prefix was expected.")
    return LocalNetwork(_text(interface), found)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("A text was expected.")
    value.encode()  # a lone surrogate, which JSON can hold, is none
    return value


def _ports(protocol: str, first: object, last: object) -> Ports:
    if type(first) is not int or type(last) is not int or not 0 < first <= last < 1 << 16:
        raise ValueError("Ports were expected.")
    return Ports(Protocol(protocol), first, last)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("A time must say its zone.")
    return time


def _pack(content: PrefixSet) -> bytes:
    lasts = [past - 1 for past in content.bounds[1::2]]
    ends = chain.from_iterable(zip(content.bounds[0::2], lasts, strict=True))
    return pack_addresses(content.family, list(ends))


def _unpack(family: Family, packed: bytes) -> PrefixSet:
    ends = unpack_addresses(family, packed)
    return PrefixSet.of_ranges(family, ends[0::2], [last + 1 for last in ends[1::2]])


@dataclass(frozen=True, slots=True)
class Damaged:
    """A generation's file that was passed over."""

    path: Path
    why: str

    def __str__(self) -> str:
        return f"The generation {self.path} {self.why}; it was passed over."


def _inconsistency(found: Generation, number: int) -> str:
    """Why a generation cannot be what was recorded under a number; empty if it can."""
    if found.number != number:
        return f"says it is number {found.number}"
    ruleset = found.ruleset
    for service in ruleset.services:
        for family in Family:
            for role, group in (
                (Role.EXCEPTION, service.name),
                (Role.ALLOW, service.allow_group),
            ):
                key = SetKey(role, group, family)
                if key not in ruleset.sets:
                    return f"lacks the set {key.name}"
    return ""


class _Given(NamedTuple):
    """Numbers that were given to generations."""

    highest: int
    """Never given again, even if what bore it was undone."""
    kept: int
    """The highest that was not undone; 0 for none."""


class GenerationStore:
    """The generations of one state directory, newest first."""

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "generations"

    def numbers(self) -> list[int]:
        """Numbers of the generations on disk, newest first, whether readable or not.

        Raises:
            StateError: the directory is there and cannot be read.
        """
        try:
            names = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StateError(f"{self._directory} cannot be read: {error.strerror}.") from error
        stems = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
        return sorted((int(stem) for stem in stems if stem.isdecimal()), reverse=True)

    def walk(self) -> Iterator[Generation | Damaged]:
        """Every generation, newest first, each read only when it is asked for."""
        for number in self.numbers():
            yield self.read(number)

    def read(self, number: int) -> Generation | Damaged:
        """One generation."""
        path = self._path(number)
        try:
            found = decode(read_trusted(path))
        except ValueError as error:
            return Damaged(path, str(error))
        except StateError as error:
            return Damaged(path, f"cannot be used ({error})")
        why = _inconsistency(found, number)
        return Damaged(path, why) if why else found

    def newest(self, at_most: int | None = None) -> tuple[Generation | None, tuple[Damaged, ...]]:
        """The newest generation that can be read, and the damaged ones passed over for it.

        Args:
            at_most: passes by, unread, all generations with a greater number.
        """
        damaged: list[Damaged] = []
        for number in self.numbers():
            if at_most is not None and number > at_most:
                continue
            found = self.read(number)
            if isinstance(found, Generation):
                return found, tuple(damaged)
            damaged.append(found)
        return None, tuple(damaged)

    def record(self, generation: Generation) -> None:
        """Write a generation, then let go of those that are too old.

        Raises:
            StateError: it could not be written; nothing else is lost.
        """
        ensure_private_directory(self._directory)
        write_atomically(self._path(generation.number), encode(generation))
        self._give(max(generation.number, self._highest_ever()), generation.number)
        oldest = generation.created_at - KEPT_FOR
        for rank, number in enumerate(self.numbers()):
            if rank >= MOST_KEPT or (rank >= KEPT and self._written(number) < oldest):
                self._path(number).unlink(missing_ok=True)

    def next_number(self) -> int:
        """A number that no generation had before, nor one that was not confirmed."""
        return max((*self.numbers(), self._highest_ever())) + 1

    def ever_recorded(self) -> bool:
        """Whether anything was applied here that was not undone, whatever is left of it.

        Raises:
            StateError: the directory is there and cannot be read.
        """
        return bool(self.numbers()) or self._given().kept > 0

    def _highest_ever(self) -> int:
        return self._given().highest

    def _given(self) -> _Given:
        try:
            words = (read_if_there(self._register) or b"").decode("ascii").split()
            return _Given(*(int(word[:_LONGEST_NUMBER]) for word in words))
        except (StateError, ValueError, TypeError):
            return _Given(0, 0)

    def _give(self, highest: int, kept: int) -> None:
        write_atomically(self._register, f"{highest} {kept}".encode())

    def _written(self, number: int) -> datetime:
        try:
            return datetime.fromtimestamp(self._path(number).stat().st_mtime, UTC)
        except OSError:  # it has just gone
            return datetime.now(UTC)

    @property
    def _register(self) -> Path:
        return self._directory / "numbers"

    def discard_after(self, number: int) -> None:
        """Take away all generations newer than one; 0 for all.

        Raises:
            StateError: one could not be removed.
        """
        highest = max((*self.numbers(), self._highest_ever()))
        for newer in self.numbers():
            if newer > number:
                try:
                    self._path(newer).unlink(missing_ok=True)
                except OSError as error:
                    raise state_error("removed", self._path(newer), error) from error
        if self._directory.is_dir():
            self._give(highest, number)

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:08d}{_SUFFIX}"
