"""Objections of guards, and their overrides."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum

from geofence.errors import UsageError
from geofence.model.frozen import dataclass
from geofence.spelling import nearest, quoted
from geofence.translation import join, tr


class Guard(StrEnum):
    """The guards, by the name with which their override begins."""

    SHRINK = "shrink"
    """A list lost more of its addresses than real lists do."""
    GROWTH = "growth"
    """A list gained more addresses than real lists do."""
    FIRST_RUN = "first-run"
    """A country's first list does not have about its known size, or a blocklist's is too large."""
    ENDS = "ends"
    """A list lost one of its ends, as one that was cut short does."""
    BROAD = "broad"
    """A prefix is broader than any that a registry delegates."""
    SPECIAL_PURPOSE = "special-purpose"
    """A public list contains private, loopback or other addresses that no country has."""
    SSH = "ssh"
    """The plan would block the SSH session from which it is applied."""
    LIVE_SOURCES = "live-sources"
    """The plan would block most of the current peers of the fenced ports."""
    FOREIGN = "foreign"
    """The kernel has objects with geofence's names that another program made."""
    OPEN = "open"
    """The rules would allow nearly everybody."""
    SHUT_OUT = "shut-out"
    """The rules would allow nobody but exceptions and local networks."""
    UNFENCED = "unfenced"
    """Asterisk's configuration no longer has what a service was fenced for."""
    BROAD_TRUNK = "broad-trunk"
    """A trunk in Asterisk's configuration has a prefix that is broader than a trunk's should be."""
    MANY_TRUNKS = "many-trunks"
    """All trunks in Asterisk's configuration together would allow too many addresses."""
    MOVED = "moved"
    """The fence of a target would be applied elsewhere, and the one of before would stay."""
    TAKEN = "taken"
    """The fence of a target is kept by another installation."""
    TARGET_LIMIT = "target-limit"
    """The objects for a cluster exceed a limit of its API server or of its engine."""

    @property
    def of_a_list(self) -> bool:
        """Whether the override names a list: ``shrink=JP``."""
        return self.of == "LIST"

    @property
    def of(self) -> str:
        """Return what the override names, as forms have it: LIST; empty for nothing."""
        return _OF.get(self, "LIST")


_OF = {
    **dict.fromkeys((Guard.SSH, Guard.LIVE_SOURCES, Guard.FOREIGN, Guard.OPEN, Guard.SHUT_OUT), ""),
    Guard.UNFENCED: "SERVICE",
    Guard.BROAD_TRUNK: "EXCEPTION",
    Guard.MANY_TRUNKS: "",
    Guard.MOVED: "",
    Guard.TAKEN: "",
    Guard.TARGET_LIMIT: "",
}


class Yields(StrEnum):
    """What ends an objection without an override by a person."""

    NEVER = "never"
    TO_WITNESS = "witness"
    """A second mirror that agrees, or a return to a recent version."""
    IN_TIME = "time"
    """The same, once the list has stayed the same for a week."""


@dataclass(frozen=True, slots=True)
class Objection:
    """A guard's reason to refuse."""

    guard: Guard
    subject: str
    """What it is about: ``country JP``."""
    saw: str
    """One sentence: what the guard found."""
    allows: str
    """One sentence: the limit, and where it comes from."""
    accept: str
    """The token that overrides it: ``shrink=JP``."""
    remedy: str = ""
    """One sentence: what else would help; empty for nothing else."""
    yields: Yields = Yields.NEVER
    """What ends it without an override."""

    @property
    def proceed(self) -> str:
        """One or two sentences: how to continue nevertheless."""
        override = tr("If this is intended, add '--accept {override}'.", override=self.accept)
        return join(" ", (self.remedy, override)) if self.remedy else override

    def __str__(self) -> str:
        return join(" ", (self.saw, self.allows, self.proceed))


def remaining(
    objections: Iterable[Objection],
    accept: Collection[str],
    *,
    names: Collection[str] | None = None,
) -> tuple[Objection, ...]:
    """Return the objections that no override covers.

    An override without an objection is not a mistake: a refusal may have ended by itself.

    Args:
        objections: those of the guards.
        accept: the operator's overrides; case does not count.
        names: names of all lists; None if they are not known.

    Raises:
        UsageError: an override has an unknown guard or an unknown list.
    """
    known = tuple(objections)
    overridden = {_checked(token, known, names).casefold() for token in accept}
    return tuple(one for one in known if one.accept.casefold() not in overridden)


def _checked(token: str, objections: tuple[Objection, ...], names: Collection[str] | None) -> str:
    guard, equals, name = token.strip().partition("=")
    known = {str(one).casefold(): one for one in Guard}.get(guard.casefold())
    in_force = [one.accept for one in objections]
    if known is None or bool(known.of) is not bool(equals and name):
        unknown = tr("Unknown override {override}.", override=quoted(token))
        raise _unknown(unknown, token, [*in_force, *_forms()])
    if not known.of_a_list or names is None:
        return token.strip()
    if name.casefold() not in {one.casefold() for one in names}:
        unknown = tr("Unknown list in the override {override}.", override=quoted(token))
        raise _unknown(unknown, token, [*in_force, *(f"{guard}={one}" for one in names)])
    return token.strip()


def _forms() -> list[str]:
    return [f"{guard}={guard.of}" if guard.of else str(guard) for guard in Guard]


def _unknown(unknown: str, token: str, candidates: Iterable[str]) -> UsageError:
    guess = nearest(token, candidates)
    meant = (tr("Did you mean {guess}?", guess=guess[0]),) if guess else ()
    valid = tr(
        "Valid: {overrides}, where LIST is a country code, an AS number or a blocklist's name, and "
        "EXCEPTION the name of one that was derived from Asterisk's configuration.",
        overrides=", ".join(_forms()),
    )
    return UsageError(join(" ", (unknown, *meant, valid)))
