"""What the rules gain from a reading of Asterisk's configuration: values."""

from __future__ import annotations

from enum import StrEnum

from geofence.asterisk.reading import Server
from geofence.model.frozen import dataclass
from geofence.model.policy import NamedException, Ports
from geofence.model.prefixes import Prefix

PRIVILEGED = 1024
"""Ports below this may be those of other programs."""


class Refused(StrEnum):
    """Why something in the configuration does not become a rule. The values are stable."""

    EVERYBODY = "everybody"
    """It is a whole family: ``0.0.0.0/0``."""
    LOOPBACK = "loopback"
    OWN = "own"
    """It is this host."""
    NO_SOURCE = "no-source"
    """No distant host has such an address: multicast, reserved, link-local."""
    MALFORMED = "malformed"
    """It is no host name, address or prefix that rules can have."""
    NOT_FENCED = "not-fenced"
    """Nothing that it could reach is fenced."""
    PRIVILEGED = "privileged"
    """A port below 1024, which may be another program's: rules must name it."""
    DISABLED = "disabled"
    """Ports of a service that the rules disable."""
    PUBLIC = "public"
    """A local network of public addresses: rules must name it."""


class Remark(StrEnum):
    """What the operator should know of a derived rule. The values are stable."""

    PRIVATE = "private"
    """The trunk has private addresses."""
    SUBTRACTED = "subtracted"
    """Addresses of this host, or others that no trunk has, were left out of its prefix."""


@dataclass(frozen=True, slots=True)
class FencedPorts:
    """Ports on which Asterisk listens, and the service that fences them."""

    service: str
    ports: Ports
    source: str
    """File and section."""
    by_rules: bool = False
    """Whether the rules fence them already."""
    disabled: bool = False
    """Whether the rules disable the service."""
    certain: bool = True
    """Whether Asterisk listens for sure; False where that depends on its version."""

    @property
    def privileged(self) -> bool:
        """Whether following leaves them to the rules: another program may be meant."""
        return not self.by_rules and self.ports.first < PRIVILEGED

    @property
    def left_out(self) -> Refused | None:
        """Return why following does not fence them; None if it does, or the rules do."""
        if self.disabled:
            return Refused.DISABLED
        return Refused.PRIVILEGED if self.privileged else None


@dataclass(frozen=True, slots=True)
class DerivedException:
    """A trunk as an exception."""

    exception: NamedException
    key: tuple[str, bool]
    """The object that it comes from, and whether its hosts speak IAX."""
    sources: tuple[str, ...]
    """Objects and options that name its hosts."""
    broad: tuple[Prefix, ...] = ()
    """Its prefixes, as written, that are broader than a trunk's should be."""
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class DerivedNetwork:
    """A local network of Asterisk (``local_net``)."""

    prefix: Prefix
    by_rules: bool
    """Whether ``[local] prefixes`` trusts it, on the interfaces by which this host reaches it."""


class Asked(StrEnum):
    """What a server is asked for, so that its answers are expected."""

    STUN = "stun"
    TURN = "turn"


@dataclass(frozen=True, slots=True)
class ExpectedAnswers:
    """A server that Asterisk asks: its answers are replies, which pass without an exception."""

    server: Server
    asked: Asked


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """Something in the configuration that does not become a rule."""

    item: str
    """Host, prefix or ports, as the configuration writes them."""
    why: Refused
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived:
    """What the configuration asks of the rules."""

    fenced: tuple[FencedPorts, ...] = ()
    """All ports that have to be fenced, also those that the rules fence; no port is in two."""
    exceptions: tuple[DerivedException, ...] = ()
    local: tuple[DerivedNetwork, ...] = ()
    answers: tuple[ExpectedAnswers, ...] = ()
    refused: tuple[RefusedItem, ...] = ()

    @property
    def missing(self) -> tuple[FencedPorts, ...]:
        """The ports that the rules do not fence."""
        return tuple(each for each in self.fenced if not each.by_rules)
