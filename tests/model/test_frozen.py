"""Classes that are made fast are dataclasses in all that is asked of them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar, cast
from typing import NamedTuple as TypingNamedTuple

import pytest

from geofence.model import frozen_classes
from geofence.model.frozen import NamedTuple, dataclass, field, replace


@dataclass(frozen=True, slots=True, order=True)
class Fast:
    """One of them."""

    size: ClassVar[int] = 2
    first: int
    text: str = "x"
    more: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def twice(self) -> int:
        return 2 * self.first

    @classmethod
    def of(cls, first: int) -> Fast:
        return cls(first)


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Slow:
    """The same as ``dataclasses`` makes it."""

    size: ClassVar[int] = 2
    first: int
    text: str = "x"
    more: Mapping[str, int] = dataclasses.field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Longer(Fast):
    """One with a field more."""

    last: int = 9


@dataclass(frozen=True, slots=True)
class Empty:
    """One without a field."""


PAIRS: list[Any] = [(1,), (1, "y"), (2, "x"), (2, "x", {"a": 1})]


def test_the_class_under_test_is_made_fast() -> None:
    assert "__frozen_fields__" in vars(Fast)
    assert Fast.__doc__ == "One of them."
    assert (Fast.size, Fast.of(3).twice) == (2, 6)
    assert not hasattr(Fast(1), "__dict__")


@pytest.mark.parametrize("given", PAIRS)
def test_values_are_as_those_of_dataclasses(given: tuple[int]) -> None:
    fast, slow = Fast(*given), Slow(*given)
    assert repr(fast) == repr(slow).replace("Slow", "Fast")
    assert dataclasses.asdict(fast) == dataclasses.asdict(slow)
    assert hash(fast) == hash(slow)
    names = [each.name for each in dataclasses.fields(fast)]
    assert names == [each.name for each in dataclasses.fields(slow)]
    assert dataclasses.replace(fast, first=7) == replace(fast, first=7) == Fast(7, *given[1:])
    assert copy.deepcopy(fast) == fast == pickle.loads(pickle.dumps(fast))  # noqa: S301 - just made


def test_equality_and_order_are_those_of_the_compared_fields() -> None:
    fast, slow = [Fast(*given) for given in PAIRS], [Slow(*given) for given in PAIRS]
    for one, same in zip(fast, slow, strict=True):
        for other, alike in zip(fast, slow, strict=True):
            assert (one == other) is (same == alike)
            assert (one < other, one <= other) == (same < alike, same <= alike)
            assert (one > other, one >= other) == (same > alike, same >= alike)
    assert Fast(1) != Longer(1)
    assert Fast(1) != cast("Any", (1, "x", {}))
    assert Empty() == Empty()
    assert Longer(1, last=2) == Longer(1, "x", {}, 2)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((), {}),
        ((1, "x", {}, 4), {}),
        ((1,), {"first": 2}),
        ((1,), {"other": 2}),
        ((), {"text": 1}),
    ],
)
def test_wrong_arguments_are_refused(given: tuple[int], named: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Fast(*given, **named)  # type: ignore[arg-type]  # that is the test


def test_nothing_can_be_changed() -> None:
    value = Fast(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, "first", 2)  # noqa: B010 - type checkers know better
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(value, "text")
    with pytest.raises(AttributeError):
        value.another = 1  # type: ignore[attr-defined]  # that is the test


def test_other_dataclasses_are_copied_too_and_others_are_not_made() -> None:
    assert replace(Slow(1), first=2) == Slow(2)
    with pytest.raises(TypeError):
        frozen_classes.dataclass(frozen=False, slots=True)


def test_patterns_match_by_place() -> None:
    match Longer(1, "y"):
        case Longer(first, text):
            assert (first, text) == (1, "y")


class FastTuple(NamedTuple):
    """A tuple with names that is made fast."""

    first: int
    text: str = "x"
    more: tuple[int, ...] = ()

    @property
    def twice(self) -> int:
        return 2 * self.first


class SlowTuple(TypingNamedTuple):
    """The same as ``typing`` makes it."""

    first: int
    text: str = "x"
    more: tuple[int, ...] = ()

    @property
    def twice(self) -> int:
        return 2 * self.first


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, "y"), {}),
    ((1, "y", (2,)), {}),
    ((), {"first": 3}),
    ((1,), {"more": (4,)}),
    ((), {"text": "z", "first": 5, "more": (6,)}),
]
WRONG: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1, "y", (), 4), {}),
    ((1,), {"first": 2}),
    ((1,), {"unknown": 2}),
    ((), {"text": "z"}),
]


@pytest.mark.parametrize(("given", "named"), ARGUMENTS)
def test_a_tuple_with_names_is_what_typing_makes(
    given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    fast, slow = FastTuple(*given, **named), cast("Any", SlowTuple)(*given, **named)
    assert fast == slow == tuple(fast)
    assert hash(fast) == hash(slow)
    assert repr(fast) == repr(slow).replace("Slow", "Fast")
    assert (fast.first, fast.text, fast.more, fast.twice) == (
        slow.first,
        slow.text,
        slow.more,
        slow.twice,
    )
    assert fast._replace(text="new") == slow._replace(text="new")
    assert fast._asdict() == slow._asdict()
    assert FastTuple._make(slow) == fast
    assert type(FastTuple._make(slow)) is FastTuple
    assert pickle.loads(pickle.dumps(fast)) == fast  # noqa: S301 - just pickled
    assert type(copy.copy(fast)) is FastTuple
    assert FastTuple._fields == SlowTuple._fields
    match fast:
        case FastTuple(first, text, more):
            assert (first, text, more) == fast
        case _:
            pytest.fail("no match")


@pytest.mark.parametrize(("given", "named"), WRONG)
def test_a_tuple_with_names_refuses_what_typing_refuses(
    given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    for kind in (cast("Any", FastTuple), SlowTuple):
        with pytest.raises(TypeError):
            kind(*given, **named)
    with pytest.raises(ValueError, match="unknown"):
        cast("Any", FastTuple(1))._replace(unknown=2)
    with pytest.raises(AttributeError):
        FastTuple(1).first = 2  # type: ignore[misc]  # it is frozen
