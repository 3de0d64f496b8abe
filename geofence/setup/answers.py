"""What ``setup`` asks: the questions that are open, and their answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Any

from geofence.model.evidence import Evidence
from geofence.setup.machine import Existing, LikelyCountry, Machine
from geofence.setup.providers import offered

_WEAK = {Evidence.PEERS, Evidence.OPERATOR}
"""Who talks to a PBX without a fence may be an attacker, and who sets it up may be anywhere."""


class Topic(StrEnum):
    """What a question is about; also the field of ``Answers``. The values are stable."""

    COUNTRIES = "countries"
    FOLLOW = "follow"
    TUNNELS = "tunnels"
    PROVIDERS = "providers"
    MAIL = "mail"
    FAIL2BAN = "fail2ban"
    UNITS = "units"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the operator has said; None where nothing was said."""

    countries: tuple[str, ...] | None = None
    """Codes, and regions with ``@``."""
    follow: bool | None = None
    """Whether rules follow Asterisk's configuration, rather than keep what it says now."""
    tunnels: bool | None = None
    """Whether interfaces of VPNs are trusted."""
    providers: bool | None = None
    """Whether the catalogue's entries of the trunks' providers are enabled."""
    mail: tuple[str, ...] | None = None
    """Addresses that get a mail on failure."""
    webhook_file: str = ""
    """Path of the file with the URL that is told of failures; empty for none."""
    fail2ban: bool | None = None
    units: bool | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Something that ``setup`` cannot know."""

    topic: Topic
    default: tuple[str, ...] | bool
    """The answer that is taken without one; empty where there has to be one."""
    about: tuple[str, ...] = ()
    """What it is about: interfaces, entries of the catalogue."""
    likely: tuple[LikelyCountry, ...] = ()


def open_questions(found: Machine, existing: Existing, answers: Answers) -> tuple[Question, ...]:
    """Return the questions that neither the answers nor the rules have answered, in their order."""
    asked = (
        _countries(found, existing),
        _follow(found, existing),
        _tunnels(found, existing),
        _providers(found, existing),
        _mail(found, existing),
        _programs(found, Topic.FAIL2BAN, wanted=found.has_fail2ban and not found.has_jail),
        _programs(
            found,
            Topic.UNITS,
            wanted=found.has_systemd and found.has_units and not found.units_enabled,
        ),
    )
    return tuple(each for each in asked if each and getattr(answers, each.topic.value) is None)


def with_defaults(answers: Answers, questions: Iterable[Question]) -> Answers:
    """Return answers in which each open question has its default."""
    given: dict[str, Any] = {each.topic.value: each.default for each in questions}
    return replace(answers, **given)


def answered(answers: Answers, topic: Topic, value: tuple[str, ...] | bool) -> Answers:
    """Return answers with one more."""
    given: dict[str, Any] = {topic.value: value}
    return replace(answers, **given)


def previous(existing: Existing, key: str) -> object:
    """Return what the file of ``setup`` says now under a key, such as ``allow.countries``."""
    heading, _, name = key.rpartition(".")
    return existing.setup.get(heading, {}).get(name)


def follows(answers: Answers, existing: Existing) -> bool:
    """Whether the rules follow Asterisk's configuration."""
    if existing.says("asterisk.follow"):
        return existing.policy.asterisk.enabled
    if answers.follow is not None:
        return answers.follow
    return previous(existing, "asterisk.follow") is True


def _countries(found: Machine, existing: Existing) -> Question | None:
    key = "allow.countries"
    if existing.says(key) or previous(existing, key):
        return None
    strong = (each.code for each in found.likely if set(each.evidence) - _WEAK)
    default = tuple(islice(strong, 1))
    return Question(Topic.COUNTRIES, default, likely=found.likely)


def _follow(found: Machine, existing: Existing) -> Question | None:
    reading = found.asterisk.reading
    if reading is None or existing.says("asterisk.follow") or existing.has_file:
        return None
    return Question(Topic.FOLLOW, not reading.invalid, (str(found.asterisk.directory),))


def _tunnels(found: Machine, existing: Existing) -> Question | None:
    names = untrusted(found, existing)
    if not names or existing.says("local.interfaces"):
        return None
    return Question(Topic.TUNNELS, not existing.has_file, names)


def untrusted(found: Machine, existing: Existing) -> tuple[str, ...]:
    """Return the interfaces of VPNs that could be trusted and are not."""
    before = previous(existing, "local.interfaces")
    trusted = {*existing.policy.interfaces, *(before if isinstance(before, tuple) else ())}
    return tuple(
        each.name
        for each in found.tunnels
        if not each.is_way_out and not any(_stands_for(name, each.name) for name in trusted)
    )


def _stands_for(rule: str, name: str) -> bool:
    return name.startswith(rule[:-1]) if rule.endswith("*") else name == rule


def _providers(found: Machine, existing: Existing) -> Question | None:
    names = tuple(each.name for each in offered(found, existing))
    return Question(Topic.PROVIDERS, not existing.has_file, names) if names else None


def _mail(found: Machine, existing: Existing) -> Question | None:
    told = any(key.startswith("notify.") for key in existing.operators) or "notify" in (
        existing.setup
    )
    if not found.has_mta or told or existing.has_file:
        return None
    return Question(Topic.MAIL, ())


def _programs(found: Machine, topic: Topic, *, wanted: bool) -> Question | None:
    return Question(topic, default=True) if wanted and found.standard else None
