"""A rule's match and action in the kernel's language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from geofence.backends.nftables import uapi
from geofence.backends.nftables.encoding import (
    DESTINATION,
    SOURCE,
    by_interface,
    compare_with,
    count_on,
    datagram,
    end_with,
    has_label,
    has_status,
    in_direction,
    load_address,
    load_ct,
    load_prefix,
    lookup,
    set_label,
    short_datagram,
    source_not_in,
    state_new,
    syn,
    within,
)
from geofence.backends.nftables.kernel_sets import (
    by_length,
)
from geofence.backends.nftables.objects import (
    MARKING,
    Names,
    Part,
    chain_name,
    counter_of,
)
from geofence.backends.nftables.uapi import Code
from geofence.backends.nftables.uapi_names import (
    CmpOp,
    CtDirection,
    CtKey,
    MetaKey,
)
from geofence.model.ports import Protocol
from geofence.model.prefixes import Family
from geofence.model.ruleset import (
    ADMITTED,
    BEGUN,
    NO_BEGINNINGS,
    SIP_RESPONSE,
    Action,
    Admitted,
    Answering,
    ArrivedBy,
    Beginning,
    Begun,
    DestinationIn,
    ExpectedBy,
    FencedService,
    FromLocal,
    LeavesBy,
    Match,
    OfKnownFlow,
    Reply,
    Role,
    SetKey,
    SourceIn,
    SourceWithin,
    Stray,
    ToLocal,
)


def statement(  # noqa: PLR0911 - one for each kind
    action: Action, part: Part, service: FencedService, names: Names
) -> bytes:
    """Return a verdict; packets that pass go back to where no rule of geofence's is left."""
    match action:
        case Action.PASS:
            return end_with(Code.RETURN)
        case Action.ADMIT:
            return end_with(Code.GOTO, names.chains[MARKING])
        case Action.BEGIN:
            return set_label(BEGUN) + end_with(Code.RETURN)
        case Action.LOCAL:
            return goto(names, Part.LOCAL, service)
        case Action.BANNED:
            return goto(names, Part.BAN, service)
        case Action.TURN_AWAY:
            return goto(names, Part.DENIED, service)
        case Action.DROP:
            # What this host sends does not count as dropped by the fence.
            counted = b"" if part is Part.OUT else count_on(counter_of(service.name).name)
            return counted + end_with(Code.RETURN if service.observe else uapi.NF_DROP)


def goto(names: Names, part: Part, service: FencedService) -> bytes:
    """Send the packet to a chain of a service, and never back."""
    return end_with(Code.GOTO, names.chains[chain_name(part, service.name)])


def opposite(match: Match, family: Family, names: Names) -> tuple[bytes, bytes]:
    """Return the opposite of a match: what comes before the family is asked, and after."""
    match match:
        case ArrivedBy(interface):
            return by_interface(MetaKey.IIFNAME, interface, CmpOp.NEQ), b""
        case SourceIn(role, group):
            return b"", source_not_in(names.sets[SetKey(role, group, family)], family)
    raise ValueError(match)


def conditions(match: Match, names: Names) -> tuple[bytes, ...]:  # noqa: PLR0911 - one for each kind
    """Return the conditions of a match; several for what takes a rule each."""
    match match:
        case SourceIn(role, group):
            return _in_sets(SOURCE, role, group, names)
        case DestinationIn(role, group):
            return _in_sets(DESTINATION, role, group, names)
        case SourceWithin(prefix):
            return (within(SOURCE, prefix),)
        case FromLocal((interface, prefix)):
            return (by_interface(MetaKey.IIFNAME, interface) + within(SOURCE, prefix),)
        case ToLocal((interface, prefix)):
            return (by_interface(MetaKey.OIFNAME, interface) + within(DESTINATION, prefix),)
        case ArrivedBy(interface):
            return (by_interface(MetaKey.IIFNAME, interface),)
        case LeavesBy(interface):
            return (by_interface(MetaKey.OIFNAME, interface),)
        case Beginning(Protocol.UDP):
            return (short_datagram(), datagram(CmpOp.NEQ, NO_BEGINNINGS))
    return (_matching_flow(match),)


def _matching_flow(match: Match) -> bytes:  # noqa: PLR0911 - one for each kind
    match match:
        case Reply():
            return in_direction(CtDirection.REPLY) + has_label(BEGUN)
        case Admitted():
            # A stranger's packet is never confirmed, and a status is read faster than a label.
            admitted = has_label(ADMITTED) + in_direction(CtDirection.ORIGINAL)
            return has_status(uapi.CT_CONFIRMED) + admitted
        case Answering():
            return in_direction(CtDirection.REPLY)
        case Begun():
            return has_label(BEGUN)
        case ExpectedBy(helper):
            name = helper.encode().ljust(uapi.CT_HELPER_LENGTH, b"\0")
            return load_ct(CtKey.HELPER) + compare_with(CmpOp.EQ, name)
        case OfKnownFlow():
            return state_new(CmpOp.EQ)
        case Stray(Protocol.UDP):
            return datagram(CmpOp.EQ, (SIP_RESPONSE,))
        case Beginning(Protocol.TCP):
            return syn(CmpOp.EQ)
        case Stray(Protocol.TCP):
            return syn(CmpOp.NEQ)
    return b""


def _in_sets(
    field: Mapping[Family, tuple[int, int]], role: Role, group: str, names: Names
) -> tuple[bytes, ...]:
    keys = (SetKey(role, group, family) for family in Family)
    return tuple(found for key in keys for found in in_set(field, key, names))


def in_set(field: Mapping[Family, tuple[int, int]], key: SetKey, names: Names) -> Iterator[bytes]:
    """Yield a look-up in a set of intervals, or one for each length of prefixes."""
    if key in names.sets:
        yield load_address(field, key.family) + lookup(names.sets[key])
    for part in by_length(key, names.sets):
        yield load_prefix(field, key.family, part.length) + lookup(names.sets[part])
