"""What is known of the shield: its state, and why it is not up."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Why(StrEnum):
    """Why the shield is not up, or why it leaves a service to the fence."""

    DISABLED = "disabled"
    """The rules do not ask for it."""
    RULES = "rules"
    """The rules do not load."""
    NO_FENCE = "no_fence"
    DRIFT = "drift"
    """The fence is not what was applied."""
    OBSERVED = "observed"
    OPEN = "open"
    """The service is open to all."""
    NO_SERVICE = "no_service"
    """No service is left to it."""
    ZONES = "zones"
    """Conntrack has zones: what is known in one is unknown to the shield."""
    HELPERS = "helpers"
    """A conntrack helper announces connections, which the shield cannot look up."""
    NO_INTERFACE = "no_interface"
    """No interface with a default route is one that it knows."""
    NO_ADDRESS = "no_address"
    ROUTING = "routing"
    """The first routing rule is not that of local addresses."""
    MARKS = "marks"
    """No bit of the packets' marks is free."""
    LOST_MARKS = "lost_marks"
    """Marked samples do not come to the fence as they were marked."""
    DISAGREEMENT = "disagreement"
    """The fence passed what the shield would have dropped."""
    KERNEL = "kernel"
    """The kernel lacks something."""
    RIGHTS = "rights"
    """The process lacks a capability."""
    BPFFS = "bpffs"
    """No BPF file system is mounted."""


class Reason(NamedTuple):
    """One reason, and what it is about: an interface, a rule, an error of the kernel."""

    why: Why
    subject: str = ""


class LeftOut(NamedTuple):
    """A service that is left to the fence."""

    service: str
    why: Why


class ShieldState(StrEnum):
    """How far the shield is."""

    OFF = "off"
    AUDITING = "auditing"
    """It marks what it would drop, and drops nothing."""
    ARMED = "armed"
