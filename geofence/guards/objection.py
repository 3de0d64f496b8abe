"""What a guard says, and how an operator overrides it by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from geofence.errors import UsageError
from geofence.policy.mistakes import nearest


class Guard(StrEnum):
    """The guards, by the name that their override starts with."""

    SHRINK = "shrink"
    """A list lost more of its addresses than lists really do."""
    GROWTH = "growth"
    """A list gained more addresses than lists really do."""
    FIRST_RUN = "first-run"
    """A country's first list is not about as large as it is, or a blocklist's takes too much."""
    ENDS = "ends"
    """A list lost one of its ends, as one that was cut short does."""
    BROAD = "broad"
    """A prefix is broader than any that a registry delegates."""
    SPECIAL_PURPOSE = "special-purpose"
    """A public list holds private, loopback or other addresses that no country has."""
    SSH = "ssh"
    """The plan would deny the SSH session it is applied from."""
    LIVE_SOURCES = "live-sources"
    """The plan would deny most of those who now talk to the fenced ports."""
    FOREIGN = "foreign"
    """The kernel holds what another program made under geofence's names."""
    OPEN = "open"
    """The rules would let in nearly everybody."""
    SHUT_OUT = "shut-out"
    """The rules would let in nobody but exceptions and local networks."""

    @property
    def of_a_list(self) -> bool:
        """Whether the override names a list: ``shrink=JP``."""
        others = (Guard.SSH, Guard.LIVE_SOURCES, Guard.FOREIGN, Guard.OPEN, Guard.SHUT_OUT)
        return self not in others


class Yields(StrEnum):
    """What overrides an objection without a person."""

    NEVER = "never"
    TO_WITNESS = "witness"
    """A second mirror that agrees, or a return to a recent version."""
    IN_TIME = "time"
    """The same, once the list has stayed the same for a week."""


@dataclass(frozen=True, slots=True)
class Objection:
    """One guard's reason not to go on."""

    guard: Guard
    subject: str
    """What it is about: ``country JP``."""
    saw: str
    """One sentence."""
    allows: str
    """One sentence: the limit, and where it comes from."""
    accept: str
    """The token that overrides it: ``shrink=JP``."""
    remedy: str = ""
    """What else would help, as the start of a sentence; empty for nothing else."""
    yields: Yields = Yields.NEVER
    """To what it gives way without an override."""

    @property
    def proceed(self) -> str:
        """One sentence: how to go on all the same."""
        override = f"--accept {self.accept}"
        return (
            f"{self.remedy}, or pass {override}."
            if self.remedy
            else f"If that is right, pass {override}."
        )

    def __str__(self) -> str:
        return f"{self.saw} {self.allows} {self.proceed}"


def remaining(
    objections: Iterable[Objection],
    accept: Collection[str],
    *,
    names: Collection[str] | None = None,
) -> tuple[Objection, ...]:
    """The objections that no override covers.

    An override that has nothing to cover today is no mistake: a refusal may have gone by itself.

    Args:
        objections: what the guards said.
        accept: the operator's overrides; case does not count.
        names: names of the lists there are; None where they are not known.

    Raises:
        UsageError: an override names no guard, or no list.
    """
    known = tuple(objections)
    spelt = {_checked(token, known, names).casefold() for token in accept}
    return tuple(one for one in known if one.accept.casefold() not in spelt)


def _checked(token: str, objections: tuple[Objection, ...], names: Collection[str] | None) -> str:
    guard, equals, name = token.strip().partition("=")
    takes_list = {str(one).casefold(): one.of_a_list for one in Guard}
    in_force = [one.accept for one in objections]
    if takes_list.get(guard.casefold()) is not bool(equals and name):
        raise _unknown(token, "override", [*in_force, *_forms()])
    if name and names is not None and name.casefold() not in {one.casefold() for one in names}:
        raise _unknown(token, "list", [*in_force, *(f"{guard}={one}" for one in names)])
    return token.strip()


def _forms() -> list[str]:
    return [f"{guard}=LIST" if guard.of_a_list else str(guard) for guard in Guard]


def _unknown(token: str, what: str, candidates: Iterable[str]) -> UsageError:
    guess = nearest(token, candidates)
    meant = f" Did you mean {guess[0]}?" if guess else ""
    return UsageError(
        f"--accept {token} names no {what} that there is.{meant} Overrides are "
        f"{', '.join(_forms())}, where LIST is a country's code or a blocklist's name."
    )
