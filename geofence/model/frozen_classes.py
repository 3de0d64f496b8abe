"""Frozen dataclasses with slots that are made in a twentieth of the time.

``dataclasses`` writes and compiles the source of each class's methods at each start, a millisecond
a class, and imports ``inspect``. Where few instances are made, as by ``restore`` at boot, that is
most of the time. The classes made here share methods. ``dataclasses.fields``, ``replace`` and
``asdict`` take them for dataclasses as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter, itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_FIELDS = "__frozen_fields__"
_MISSING: Any = object()
"""Stands for a default that there is not."""


class Field:
    """What a class says of a field beside its type."""

    __slots__ = ("compare", "default", "default_factory", "repr")

    def __init__(
        self,
        default: Any = _MISSING,  # noqa: ANN401 - whatever the field has
        *,
        default_factory: Any = _MISSING,  # noqa: ANN401 - makes it
        compare: bool = True,
        repr: bool = True,  # noqa: A002 - as dataclasses call it
    ) -> None:
        self.default, self.default_factory = default, default_factory
        self.compare, self.repr = compare, repr

    def made(self, name: str) -> Any:  # noqa: ANN401 - whatever the field has
        """Return the default.

        Raises:
            TypeError: there is none, so an argument is missing.
        """
        if self.default_factory is not _MISSING:
            return self.default_factory()
        if self.default is _MISSING:
            raise TypeError(f"missing argument: {name!r}")
        return self.default

    def as_known(self) -> Any:  # noqa: ANN401 - typeshed has no such type
        """Return what ``dataclasses.field`` does."""
        import dataclasses

        pairs = ((name, getattr(self, name)) for name in self.__slots__)
        return dataclasses.field(**{name: value for name, value in pairs if value is not _MISSING})


field = Field
"""As ``dataclasses.field``."""


class _KnownFields:
    """Returns a class's fields as ``dataclasses`` knows them, once they are asked for."""

    def __get__(self, instance: object, owner: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a class
        import dataclasses

        stated = owner.__frozen_fields__.items()
        fields = [(name, kind, each.as_known()) for name, (kind, each) in stated]
        twin: Any = dataclasses.make_dataclass(owner.__name__, fields)
        owner.__dataclass_fields__ = twin.__dataclass_fields__
        return owner.__dataclass_fields__  # type: ignore[no-any-return]  # just set


def dataclass(*, frozen: bool, slots: bool, order: bool = False) -> Callable[[type], type]:
    """Make a class, as ``dataclasses.dataclass`` does; only a frozen one with slots.

    Args:
        frozen: True.
        slots: True.
        order: whether instances have an order.
    """
    if not (frozen and slots):
        raise TypeError("only frozen classes with slots are made here")
    return lambda described: _made(described, order=order)


def replace(value: Any, /, **changes: Any) -> Any:  # noqa: ANN401 - any such value
    """Return a copy with changes, as ``dataclasses.replace`` does."""
    stated = getattr(type(value), _FIELDS, None)
    if stated is None:
        import dataclasses

        return dataclasses.replace(value, **changes)
    kept = {name: getattr(value, name) for name in stated if name not in changes}
    return type(value)(**kept, **changes)


def _made(described: type, *, order: bool) -> type:
    inherited, own = _described(described)
    body = {name: value for name, value in vars(described).items() if name not in own}
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    body["__slots__"] = tuple(name for name in own if name not in inherited)
    body[_FIELDS] = fields = {**inherited, **own}
    body["__dataclass_fields__"] = _KnownFields()
    body["__match_args__"] = tuple(fields)
    made = type(described)(described.__name__, described.__bases__, body)
    made.__qualname__ = described.__qualname__
    methods = {**_methods(made, fields), **(_comparisons(made, fields) if order else {})}
    for name, method in methods.items():
        if name not in body:
            setattr(made, name, method)
    return made


def _described(described: type) -> tuple[dict[str, Any], dict[str, tuple[Any, Field]]]:
    """Return the fields of the bases, and those that a class describes itself."""
    inherited: dict[str, Any] = {}
    for base in reversed(described.__mro__[1:]):
        inherited.update(vars(base).get(_FIELDS, {}))
    own: dict[str, tuple[Any, Field]] = {}
    for name, kind in described.__annotations__.items():
        if not str(kind).startswith("ClassVar"):
            default = vars(described).get(name, _MISSING)
            own[name] = (kind, default if isinstance(default, Field) else Field(default))
    return inherited, own


def _methods(made: Any, fields: Mapping[str, tuple[Any, Field]]) -> dict[str, Any]:  # noqa: ANN401
    names = tuple(fields)
    puts = [getattr(made, name).__set__ for name in names]
    setters = [(name, put, fields[name][1]) for name, put in zip(names, puts, strict=True)]
    values, compared = _getter(names), _compared(fields)

    def init(self: object, *given: object, **named: object) -> None:
        if given:
            _check_places(made.__name__, names, given, named)
            for put, value in zip(puts, given, strict=False):
                put(self, value)
        for name, put, default in setters[len(given) :]:
            put(self, named.pop(name) if name in named else default.made(name))
        if named:
            raise TypeError(f"{made.__name__} got unknown arguments: {', '.join(named)}")

    def equals(self: object, other: object) -> Any:  # noqa: ANN401 - NotImplemented, too
        if type(other) is not type(self):
            return NotImplemented
        return self is other or compared(self) == compared(other)

    def shown(self: object) -> str:
        told = (name for name, (_, each) in fields.items() if each.repr)
        pairs = ", ".join(f"{name}={getattr(self, name)!r}" for name in told)
        return f"{type(self).__qualname__}({pairs})"

    return {
        "__init__": init,
        "__eq__": equals,
        "__hash__": lambda self: hash(compared(self)),
        "__repr__": shown,
        "__reduce__": lambda self: (type(self), values(self)),
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }


def _comparisons(made: type, fields: Mapping[str, tuple[Any, Field]]) -> dict[str, Any]:
    compared = _compared(fields)

    def comparing(ask: Callable[[Any, Any], bool]) -> Callable[[object, object], Any]:
        def compare(self: object, other: object) -> Any:  # noqa: ANN401 - NotImplemented, too
            if type(other) is not made:
                return NotImplemented
            return ask(compared(self), compared(other))

        return compare

    return {
        "__lt__": comparing(lambda one, other: one < other),
        "__le__": comparing(lambda one, other: one <= other),
        "__gt__": comparing(lambda one, other: one > other),
        "__ge__": comparing(lambda one, other: one >= other),
    }


def _check_places(
    kind: str, names: tuple[str, ...], given: tuple[object, ...], named: Mapping[str, object]
) -> None:
    """Raise what Python raises for too many arguments, or two values for one."""
    if len(given) > len(names):
        raise TypeError(f"{kind} takes {len(names)} arguments")
    if named and not named.keys().isdisjoint(names[: len(given)]):
        raise TypeError(f"{kind} got two values for one argument")


def _compared(fields: Mapping[str, tuple[Any, Field]]) -> Callable[[object], Any]:
    return _getter(tuple(name for name, (_, each) in fields.items() if each.compare))


def _getter(names: tuple[str, ...]) -> Callable[[object], Any]:
    """Return what gets some attributes of a value as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _refuse(_value: object, name: str, *_given: object) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change field {name!r}")


class _NamedTupleType(type):
    """Makes classes of tuples whose items have names, as ``typing.NamedTuple`` does."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
        if not bases:
            return super().__new__(cls, name, bases, body)
        names = tuple(body.get("__annotations__", ()))
        defaults = {each: body[each] for each in names if each in body}
        items = {each: property(itemgetter(at)) for at, each in enumerate(names)}
        facts = {"_fields": names, "_field_defaults": defaults, "__match_args__": names}
        made = {**_tuple_methods(names, defaults), **body, **facts, **items, "__slots__": ()}
        return type(name, (tuple,), made)


class NamedTuple(metaclass=_NamedTupleType):
    """A base as ``typing.NamedTuple``; it is none of those of its classes."""


def _tuple_methods(names: tuple[str, ...], defaults: Mapping[str, Any]) -> dict[str, Any]:
    number = len(names)
    filled = tuple(defaults.values())  # as Python has them, behind what has no default
    least = number - len(filled)
    made = tuple.__new__

    def new(cls: Any, /, *given: object, **named: object) -> Any:  # noqa: ANN401 - such a class
        if named or len(given) != number:
            if not named and least <= len(given) < number:
                given += filled[len(given) - number :]
            else:
                given = _completed(cls.__name__, names, defaults, given, named)
        return made(cls, given)

    def shown(self: Any) -> str:  # noqa: ANN401 - such a class
        pairs = ", ".join(f"{name}={value!r}" for name, value in zip(names, self, strict=True))
        return f"{type(self).__name__}({pairs})"

    def replaced(self: Any, /, **changes: object) -> Any:  # noqa: ANN401 - such a class
        values = [changes.pop(name, value) for name, value in zip(names, self, strict=True)]
        if changes:
            raise ValueError(f"{type(self).__name__} has no fields: {', '.join(changes)}")
        return tuple.__new__(type(self), values)

    return {
        "__new__": new,
        "__repr__": shown,
        "__getnewargs__": lambda self: (*self,),
        "_replace": replaced,
        "_make": classmethod(lambda cls, values: cls(*values)),
        "_asdict": lambda self: dict(zip(names, self, strict=True)),
    }


def _completed(
    kind: str,
    names: tuple[str, ...],
    defaults: Mapping[str, object],
    given: tuple[object, ...],
    named: Mapping[str, object],
) -> tuple[object, ...]:
    """Return all items of a tuple, in their order."""
    _check_places(kind, names, given, named)
    left = names[len(given) :]
    if unknown := named.keys() - set(left):
        raise TypeError(f"{kind} got unknown arguments: {', '.join(sorted(unknown))}")
    known = {**defaults, **named}
    if missing := [name for name in left if name not in known]:
        raise TypeError(f"{kind} lacks arguments: {', '.join(missing)}")
    return (*given, *(known[name] for name in left))
