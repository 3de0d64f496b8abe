"""Recorded rulesets, in a form that ``restore`` loads without parsing lists.

A generation is one sealed file (see ``records``): a line of JSON (the generation, and names and
lengths of its sets), then the sets' intervals as packed integers in network order, first and last
address each. A file that cannot be used is named and skipped for the one before it.

A new field of a service, a local network or a generation is one more line in its codec here, if
its class has a default for it. Raise ``FORMAT`` only if an older geofence must not restore a fence
without it.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Mapping, Sequence
from sys import byteorder

from geofence.errors import StateError
from geofence.lean import UTC, Path, datetime, timedelta
from geofence.lean_json import dumps, loads
from geofence.model.frozen import NamedTuple, dataclass, replace
from geofence.model.generation import Generation, ListNote
from geofence.model.ports import Ports, Protocol
from geofence.model.prefixes import Family, PrefixSet, unpack_ranges
from geofence.model.ruleset import FencedService, LocalNetwork, Role, Ruleset, SetKey
from geofence.state.files import (
    ensure_private_directory,
    read_if_there,
    read_trusted,
    state_error,
    write_atomically,
)
from geofence.state.records import (
    COUNT,
    DAMAGE,
    FLAG,
    MOMENT,
    PREFIX,
    UTF8,
    RecordError,
    choice,
    damaged,
    items,
    many,
    maybe,
    objects,
    seal,
    unseal,
)
from geofence.translation import tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 2
"""Of the files that are written."""
KEPT = 10
"""How many generations are kept at least."""
KEPT_FOR = timedelta(days=30)
"""How long a generation is kept, unless there are too many."""
MOST_KEPT = 60
"""How many are kept at most."""

_SUFFIX = ".generation"
_LONGEST_NUMBER = 15
"""Digits."""
_PLACES = 1
"""The format of before 0.2: values had places in lists instead of names."""


_WORD_BITS = 64
"""Half of an IPv6 address."""
_LOW_WORD = (1 << _WORD_BITS) - 1


class _Stated(NamedTuple):
    """What a file says of one of its sets."""

    role: Role
    group: str
    family: Family
    intervals: int
    """How many there are in the packed part."""


def _ports(protocol: Protocol, first: int, last: int) -> Ports:
    if not 0 < first <= last < 1 << 16:
        raise ValueError("Ports were expected.")
    return Ports(protocol, first, last)


def _ruleset(
    services: tuple[FencedService, ...],
    interfaces: tuple[str, ...],
    local: tuple[LocalNetwork, ...] = (),
) -> Ruleset:
    """Return a ruleset without its sets; a file without services or interfaces is damaged."""
    return Ruleset(services, interfaces, {}, local)


_PORTS = objects(_ports, protocol=choice(Protocol), first=COUNT, last=COUNT)
_SERVICE = objects(
    FencedService,
    name=UTF8,
    ports=many(_PORTS),
    allow_group=UTF8,
    helpers=many(UTF8),
    replies=FLAG,
    observe=FLAG,
)
_LOCAL = objects(LocalNetwork, interface=UTF8, prefix=PREFIX)
_RULESET = objects(_ruleset, services=many(_SERVICE), interfaces=many(UTF8), local=many(_LOCAL))
_NOTE = objects(ListNote, name=UTF8, checked_at=MOMENT, sha256=UTF8)
_GENERATION = objects(
    Generation,
    number=COUNT,
    created_at=MOMENT,
    reason=UTF8,
    backend=UTF8,
    ruleset=_RULESET,
    lists=many(_NOTE),
    restores=maybe(COUNT),
)
_SETS = many(
    objects(_Stated, role=choice(Role), group=UTF8, family=choice(Family), intervals=COUNT)
)


def encode(generation: Generation) -> bytes:
    """Return the content of a generation's file."""
    sets = sorted(generation.ruleset.sets.items(), key=lambda each: each[0].name)
    stated = tuple(_Stated(*key, len(content.bounds) // 2) for key, content in sets)
    facts = {**_GENERATION.write(generation), "sets": _SETS.write(stated)}
    head = dumps(facts, (",", ":")).encode()
    packed = [_pack(content) for _, content in sets]
    return seal(FORMAT, b"".join((head, b"\n", *packed)))


def decode(content: bytes) -> Generation:
    """Return the generation that a file holds.

    Raises:
        RecordError: the content is damaged or of a newer format; the message says which.
    """
    form, body = unseal(content, FORMAT)
    facts, _, packed = body.partition(b"\n")
    try:
        read = loads(facts)
        return _generation(_named(read) if form == _PLACES else read, packed)
    except (*DAMAGE, OSError, struct.error) as error:
        raise damaged() from error


def _generation(facts: Mapping[str, Any], packed: bytes) -> Generation:
    found = _GENERATION.read(facts)
    sets: dict[SetKey, PrefixSet] = {}
    at = 0
    for role, group, family, intervals in _SETS.read(facts["sets"]):
        past = at + intervals * 2 * (family.bits // 8)
        sets[SetKey(role, group, family)] = _unpack(family, packed[at:past])
        at = past
    if at != len(packed):
        raise ValueError("There is more than the sets that were stated.")
    return replace(found, ruleset=replace(found.ruleset, sets=sets))


def _named(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a file with places as those of a file with names."""
    services = _objects(facts["services"], "name", "ports", "allow_group", "helpers", "replies")
    for service in services:
        service["ports"] = _objects(service["ports"], "protocol", "first", "last")
    # The oldest files have no local networks: what was local is in their sets of exceptions.
    local = _objects(facts.get("local", []), "interface", "prefix")
    return {
        **facts,
        "ruleset": {"services": services, "interfaces": facts["interfaces"], "local": local},
        "sets": _objects(facts["sets"], "role", "group", "family", "intervals"),
        "lists": _objects(facts["lists"], "name", "checked_at", "sha256"),
    }


def _objects(values: object, *names: str) -> list[dict[str, Any]]:
    """Return objects instead of lists; the last values may be missing."""
    return [dict(zip(names, _at_most(len(names), value), strict=False)) for value in items(values)]


def _at_most(length: int, value: object) -> Sequence[Any]:
    if len(items(value)) > length:
        raise ValueError("There is more than was expected.")
    return items(value)


def _pack(content: PrefixSet) -> bytes:
    """Return what ``_unpack`` reads, made without an object for each address."""
    family, bounds = content.family, content.bounds
    if family is Family.IPV6 and not any(map(_LOW_WORD.__and__, bounds)):
        # No prefix is longer than 64 bits, as in all lists of countries.
        words = array("Q", bytes(16 * len(bounds)))
        words[0::4] = array("Q", [first >> _WORD_BITS for first in bounds[0::2]])
        words[2::4] = array("Q", [(past >> _WORD_BITS) - 1 for past in bounds[1::2]])
        words[3::4] = array("Q", b"\xff" * (4 * len(bounds)))
    elif family is Family.IPV6:
        return b"".join([(each - at % 2).to_bytes(16) for at, each in enumerate(bounds)])
    else:
        words = array("I", bytes(4 * len(bounds)))
        words[0::2] = array("I", bounds[0::2])
        words[1::2] = array("I", [past - 1 for past in bounds[1::2]])
    if byteorder == "little":
        words.byteswap()
    return words.tobytes()


def _unpack(family: Family, packed: bytes) -> PrefixSet:
    return PrefixSet.of_ranges(family, *unpack_ranges(family, packed))


@dataclass(frozen=True, slots=True)
class Damaged:
    """A generation's file that cannot be used and was skipped."""

    path: Path
    why: str
    """A sentence."""

    def __str__(self) -> str:
        return tr("The generation {path} was skipped. {why}", path=self.path, why=self.why)


def _inconsistency(found: Generation, number: int) -> str:
    """Return why a generation cannot be what was recorded under a number; empty if it can."""
    if found.number != number:
        return tr("It says that its number is {number}.", number=found.number)
    ruleset = found.ruleset
    for service in ruleset.services:
        for family in Family:
            for role, group in (
                (Role.EXCEPTION, service.name),
                (Role.ALLOW, service.allow_group),
            ):
                key = SetKey(role, group, family)
                if key not in ruleset.sets:
                    return tr('Its set "{name}" is missing.', name=key.name)
    return ""


class _Given(NamedTuple):
    """The numbers that generations got."""

    highest: int
    """The highest that a generation ever got; never used again, even if that was undone."""
    kept: int
    """The highest whose generation was not undone; 0 for none."""


class GenerationStore:
    """The generations of one state directory, newest first."""

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "generations"

    def numbers(self) -> list[int]:
        """Return the numbers of the generations on disk, newest first, whether readable or not.

        Raises:
            StateError: the directory is there and cannot be read.
        """
        try:
            names = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise state_error("read", self._directory, error) from error
        stems = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
        return sorted((int(stem) for stem in stems if stem.isdecimal()), reverse=True)

    def walk(self) -> Iterator[Generation | Damaged]:
        """Yield every generation, newest first; each is read only when it is asked for."""
        for number in self.numbers():
            yield self.read(number)

    def read(self, number: int) -> Generation | Damaged:
        """Return one generation, or why its file cannot be used."""
        path = self.path(number)
        try:
            found = decode(read_trusted(path))
        except (RecordError, StateError) as error:
            return Damaged(path, error.args[0])
        why = _inconsistency(found, number)
        return Damaged(path, why) if why else found

    def newest(self, at_most: int | None = None) -> tuple[Generation | None, tuple[Damaged, ...]]:
        """Return the newest generation that can be read, and the newer files that were skipped.

        Args:
            at_most: ignore all generations with a greater number.
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
        """Write a generation, then delete those that are too old.

        Raises:
            StateError: it could not be written; no other was deleted.
        """
        ensure_private_directory(self._directory)
        write_atomically(self.path(generation.number), encode(generation))
        self._give(max(generation.number, self._highest_ever()), generation.number)
        oldest = generation.created_at - KEPT_FOR
        for rank, number in enumerate(self.numbers()):
            if rank >= MOST_KEPT or (rank >= KEPT and self._written(number) < oldest):
                self.path(number).unlink(missing_ok=True)

    def next_number(self) -> int:
        """Return a number that no generation ever had, not even one that was undone."""
        return max((*self.numbers(), self._highest_ever())) + 1

    def ever_recorded(self) -> bool:
        """Whether anything was applied that was not undone, even if its file is missing now.

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
            return datetime.fromtimestamp(self.path(number).stat().st_mtime, UTC)
        except OSError:  # it was deleted meanwhile
            return datetime.now(UTC)

    @property
    def _register(self) -> Path:
        return self._directory / "numbers"

    def discard_after(self, number: int) -> None:
        """Delete all generations newer than one; 0 for all.

        Raises:
            StateError: one could not be removed.
        """
        highest = max((*self.numbers(), self._highest_ever()))
        for newer in self.numbers():
            if newer > number:
                try:
                    self.path(newer).unlink(missing_ok=True)
                except OSError as error:
                    raise state_error("removed", self.path(newer), error) from error
        if self._directory.is_dir():
            self._give(highest, number)

    def path(self, number: int) -> Path:
        """Return the file of a generation."""
        return self._directory / f"{number:08d}{_SUFFIX}"
