"""The steps of a packet as questions, and as facts."""

from __future__ import annotations

from enum import StrEnum

from geofence.model.prefixes import Family
from geofence.model.ruleset import (
    Admitted,
    ArrivedBy,
    ExpectedBy,
    FromLocal,
    Match,
    Reply,
    Role,
    SetKey,
    SourceIn,
    SourceWithin,
)
from geofence.translation import tr
from geofence.verdict import Step


class StepKind(StrEnum):
    """What a step asks. The values are stable: scripts read them."""

    SET = "set"
    INTERFACE = "interface"
    REPLY = "reply"
    ADMITTED = "admitted"
    HELPER = "helper"
    NEAR_LOCAL = "near-local"
    LOCAL_NETWORK = "local-network"
    ANYTHING = "anything"


def step_text(step: Step, family: Family) -> str:  # noqa: PLR0911 - one a kind
    """Return what a step asks of a packet, as a question."""
    match step.rule.match:
        case SourceIn(role, group):
            return _set_question(role, SetKey(role, group, family).name)
        case Reply():
            return tr("Does it answer a connection that this host began?")
        case Admitted():
            return tr("Is it in a connection that was allowed when it began?")
        case ArrivedBy(interface):
            return tr("Did it come in by the trusted interface {name}?", name=interface)
        case ExpectedBy(helper):
            return tr("Did the conntrack helper {name} announce it?", name=helper)
        case SourceWithin(prefix):
            return tr("Is its address near local networks ({prefix})?", prefix=prefix)
        case FromLocal((interface, prefix)):
            return tr(
                "Is it from the local network {prefix} on {name}?", prefix=prefix, name=interface
            )
    return tr("Has no rule above allowed it?")


def _set_question(role: Role, name: str) -> str:
    match role:
        case Role.BAN:
            return tr("Is its address banned ({set})?", set=name)
        case Role.TIMED:
            return tr("Is its address in an exception for a time ({set})?", set=name)
        case Role.EXCEPTION:
            return tr("Is its address in an exception ({set})?", set=name)
    return tr("Is its address in what is allowed ({set})?", set=name)


def step_json(step: Step, family: Family) -> dict[str, object]:
    """Return a step for scripts."""
    kind, subject = _fact(step.rule.match, family)
    return {
        "kind": kind.value,
        "subject": subject,
        "matched": step.matched,
        "decides": step.decides,
        "action": step.rule.action.value,
    }


def _fact(match: Match, family: Family) -> tuple[StepKind, str]:  # noqa: PLR0911 - one a kind
    """Return the kind of a step and what it is about."""
    match match:
        case SourceIn(role, group):
            return StepKind.SET, SetKey(role, group, family).name
        case Reply():
            return StepKind.REPLY, ""
        case Admitted():
            return StepKind.ADMITTED, ""
        case ArrivedBy(interface):
            return StepKind.INTERFACE, interface
        case ExpectedBy(helper):
            return StepKind.HELPER, helper
        case SourceWithin(prefix):
            return StepKind.NEAR_LOCAL, str(prefix)
        case FromLocal(network):
            return StepKind.LOCAL_NETWORK, str(network)
    return StepKind.ANYTHING, ""
