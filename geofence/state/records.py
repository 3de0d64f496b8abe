"""Records on disk: the head line of a sealed file, and the fields of a JSON object, read strictly.

A sealed file begins with a line of JSON that says the record's format and the SHA-256 of all that
follows. The format is a number. It grows only when an older geofence must not obey the record, so
a field that an older one may ignore needs no new number, and one that an older file lacks is left
to the default of its class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum

from geofence.lean import UTC, datetime, inet_pton
from geofence.lean_json import dumps, loads
from geofence.model.digest import sha256_of
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family, Prefix
from geofence.translation import tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, TypeVar

    _T = TypeVar("_T")
    _E = TypeVar("_E", bound=Enum)

DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What reading a record raises if it does not hold what it should."""


class RecordError(ValueError):
    """A record that cannot be used; the text is a sentence that says why."""


def damaged() -> RecordError:
    """Return the error for a record that does not hold what it should."""
    return RecordError(tr("It is damaged."))


def seal(form: int, body: bytes) -> bytes:
    """Return the content of a file: the head line, then the body."""
    return _head(form, sha256_of(body)) + b"\n" + body


def unseal(content: bytes, newest: int) -> tuple[int, bytes]:
    """Return the format and the body of a sealed file.

    Args:
        content: of the file.
        newest: the highest format that can be read.

    Raises:
        RecordError: the content is damaged, or of a format that cannot be read.
    """
    head, _, body = content.partition(b"\n")
    try:
        stated = loads(head)
        form, checksum = stated["format"], stated["sha256"]
    except DAMAGE as error:
        raise damaged() from error
    if type(form) is not int or form < 1:
        raise RecordError(tr("Its format is unknown."))
    if form > newest:
        raise RecordError(_newer(form, newest))
    if checksum != sha256_of(body):
        raise RecordError(tr("Its checksum does not match its content."))
    if head != _head(form, checksum):  # the same in other words is not what was written
        raise damaged()
    return form, body


def _head(form: int, checksum: str) -> bytes:
    return dumps({"format": form, "sha256": checksum}).encode()


def _newer(form: int, newest: int) -> str:
    return tr(
        "A newer version of geofence wrote it (format {form}; this version reads up to "
        "{newest}). Upgrade geofence to use it.",
        form=form,
        newest=newest,
    )


if TYPE_CHECKING:

    class Codec(NamedTuple, Generic[_T]):
        """How a value becomes JSON, and how it is read again."""

        read: Callable[[Any], _T]
        """Raises one of ``DAMAGE`` if the JSON does not hold such a value."""
        write: Callable[[_T], Any]

else:

    class Codec(NamedTuple):
        """The same without what only type checkers need."""

        read: object
        write: object


def objects(made: Callable[..., _T], **fields: Codec[Any]) -> Codec[_T]:
    """Return the codec of values that are JSON objects.

    Args:
        made: the class. A field without a default must be in the object.
        fields: codecs of the class's fields, by name.
    """

    def read(facts: Any) -> _T:  # noqa: ANN401 - whatever the file holds
        if not isinstance(facts, dict):
            raise TypeError("An object was expected.")
        known = fields.items()
        return made(**{name: codec.read(facts[name]) for name, codec in known if name in facts})

    def write(value: _T) -> dict[str, object]:
        return {name: codec.write(getattr(value, name)) for name, codec in fields.items()}

    return Codec(read, write)


def many(codec: Codec[_T]) -> Codec[tuple[_T, ...]]:
    """Return the codec of tuples of such values."""
    return Codec(
        lambda facts: tuple(map(codec.read, items(facts))),
        lambda values: list(map(codec.write, values)),
    )


def maybe(codec: Codec[_T]) -> Codec[_T | None]:
    """Return the codec of such values and None."""
    return Codec(
        lambda fact: None if fact is None else codec.read(fact),
        lambda value: None if value is None else codec.write(value),
    )


def choice(options: type[_E]) -> Codec[_E]:
    """Return the codec of members of an enumeration."""
    return Codec(options, _same)


def items(value: object) -> list[Any]:
    """Return a list.

    Raises:
        TypeError: the value is none.
    """
    if not isinstance(value, list):
        raise TypeError("A list was expected.")
    return value


def text(value: object) -> str:
    """Return a text.

    Raises:
        TypeError: the value is none.
    """
    if not isinstance(value, str):
        raise TypeError("A text was expected.")
    return value


def utf8(value: object) -> str:
    """Return a text that UTF-8 can hold. JSON can also hold lone surrogates.

    Raises:
        TypeError, ValueError: the value is none.
    """
    text(value).encode()
    return text(value)


def flag(value: object) -> bool:
    """Return true or false.

    Raises:
        TypeError: the value is neither.
    """
    if not isinstance(value, bool):
        raise TypeError("True or false was expected.")
    return value


def count(value: object) -> int:
    """Return a whole number that is not negative.

    Raises:
        ValueError: the value is none.
    """
    if type(value) is not int or value < 0:
        raise ValueError("A whole number was expected.")
    return value


def number(value: object) -> float:
    """Return a finite number.

    Raises:
        ValueError: the value is none.
    """
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise ValueError("A number was expected.")
    return float(value)  # type: ignore[arg-type]


def moment(value: object) -> datetime:
    """Return a time, UTC.

    Raises:
        TypeError, ValueError, OverflowError: the value is none, or does not say its zone.
    """
    time = datetime.fromisoformat(text(value))
    if time.tzinfo is None:
        raise ValueError("A time must say its zone.")
    return time.astimezone(UTC)


def prefix(value: object) -> Prefix:
    """Return a prefix that is written as ``str`` writes it.

    Raises:
        TypeError, ValueError: the value is none.
    """
    address, _, length = utf8(value).partition("/")
    family = Family.IPV6 if ":" in address else Family.IPV4
    network = int.from_bytes(inet_pton(family.socket_family, address))
    found = Prefix(family, network, int(length))
    if (
        not 0 <= found.length <= family.bits
        or str(found) != value
        or network % (found.past - network)
    ):
        raise ValueError("A prefix was expected.")
    return found


def _same(value: _T) -> _T:
    return value


TEXT = Codec(text, _same)
UTF8 = Codec(utf8, _same)
FLAG: Codec[bool] = Codec(flag, _same)
COUNT = Codec(count, _same)
NUMBER = Codec(number, _same)
MOMENT = Codec(moment, datetime.isoformat)
PREFIX = Codec(prefix, str)
