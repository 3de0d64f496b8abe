"""What is known of the shield: its state, and why it is not up."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from geofence.model.frozen import dataclass
from geofence.model.prefixes import Family

ARMED_SAMPLE = 1024
"""Of what an armed shield would drop, one packet in so many goes on to the fence, marked."""


class Why(StrEnum):
    """Why the shield is not up, or why it leaves a service to the fence."""

    DISABLED = "disabled"
    """The rules do not ask for it."""
    RULES = "rules"
    """The rules do not load."""
    NO_FENCE = "no_fence"
    NO_COUNTER = "no_counter"
    """Another program removed the counter behind the fence."""
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
    SHARED = "shared"
    """Others could change the shield's names in it."""


class ShieldReason(NamedTuple):
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


class OnInterface(NamedTuple):
    """Where a program is attached."""

    number: int
    """The interface's index."""
    name: str
    how: str
    """``tcx`` or ``clsact``."""
    program: int
    """The program's number in the kernel."""


class ShieldDrops(NamedTuple):
    """What the shield has dropped of a service and a family."""

    service: str
    family: Family
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class ShieldRecord:
    """What the process that keeps the shield knows of it."""

    state: ShieldState
    since: datetime
    """Since when, UTC."""
    boot: str
    """ID of the boot; the shield does not outlive it."""
    reasons: tuple[ShieldReason, ...] = ()
    """Why it is off."""
    left_out: tuple[LeftOut, ...] = ()
    interfaces: tuple[OnInterface, ...] = ()
    generation: int | None = None
    mark: int = 0
    """The bit of the packets' mark that marks samples."""
    samples: int = 0
    """Marked packets that came to the fence while it was audited."""
    fingerprint: str = ""
    """Of program and tables."""
    dropped: tuple[ShieldDrops, ...] = ()
    """Since the boot."""
    before: tuple[ShieldDrops, ...] = ()
    """Of these, what is not in the kernel's counters."""
    services: tuple[str, ...] = ()
    """Names of the services that the kernel's counters count, in their order."""
