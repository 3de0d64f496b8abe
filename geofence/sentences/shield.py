"""Sentences about the shield."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.model.notes import Note, NoteKind
from geofence.model.shield import LeftOut, ShieldReason, ShieldRecord, ShieldState, Why
from geofence.sentences.lists import names
from geofence.translation import join, tr, trn


def record_text(record: ShieldRecord) -> str:
    """Return how the shield is, as a sentence or two."""
    if record.state is ShieldState.OFF:
        reasons = map(reason_text, record.reasons)
        return join(" ", (tr("The shield is off."), *reasons))
    where = ", ".join(f"{each.name} ({each.how})" for each in record.interfaces)
    left_out = map(left_out_text, record.left_out)
    if record.state is ShieldState.ARMED:
        return join(" ", (tr("The shield is armed on {interfaces}.", interfaces=where), *left_out))
    audited = trn(
        record.samples,
        "The shield on {interfaces} is being audited: it drops nothing yet. The fence has seen "
        "{number} sample of what it would drop.",
        "The shield on {interfaces} is being audited: it drops nothing yet. The fence has seen "
        "{number} samples of what it would drop.",
        interfaces=where,
    )
    return join(" ", (audited, *left_out))


def left_out_text(left_out: LeftOut) -> str:
    """Return why a service is left to the fence."""
    service = left_out.service
    if left_out.why is Why.OBSERVED:
        return tr("{service} is left to the fence: it is only observed.", service=service)
    if left_out.why is Why.OPEN:
        return tr("{service} is left to the fence: it is open to all.", service=service)
    return tr(
        "{service} is left to the fence: a conntrack helper announces its connections.",
        service=service,
    )


def reason_text(reason: ShieldReason) -> str:
    """Return why the shield is off."""
    about = reason.subject
    if reason.why in (Why.OBSERVED, Why.OPEN) or (reason.why is Why.HELPERS and not about):
        return left_out_text(LeftOut(about, reason.why))
    return _REASONS[reason.why](about)


def _fence(about: str) -> str:
    return tr("There is no fence: {reason}", reason=about) if about else tr("There is no fence.")


def _marks(about: str) -> str:
    if not about:
        return tr("Other programs use all bits of the packets' marks.")
    return tr("A rule sets the packets' marks, also the bit of samples: {rule}.", rule=about)


def _interface(about: str) -> str:
    if not about:
        return tr("There is no default route.")
    return tr(
        "{interface} is not Ethernet, is part of a bridge, bond or VRF, or is trusted.",
        interface=about,
    )


_REASONS: Mapping[Why, Callable[[str], str]] = {
    Why.DISABLED: lambda _: tr("The rules do not have 'enabled = true' in [shield]."),
    Why.RULES: lambda about: tr("The rules do not load: {reason}", reason=about),
    Why.NO_FENCE: _fence,
    Why.NO_COUNTER: lambda _: tr("Another program removed the counter behind the fence."),
    Why.DRIFT: lambda _: tr("The fence differs from what was applied."),
    Why.NO_SERVICE: lambda _: tr("No service is fenced."),
    Why.ZONES: lambda about: tr("A rule uses conntrack zones: {rule}.", rule=about),
    Why.HELPERS: lambda about: tr("A conntrack helper announces connections: {rule}.", rule=about),
    Why.NO_INTERFACE: _interface,
    Why.NO_ADDRESS: lambda _: tr("This host has no address."),
    Why.ROUTING: lambda _: tr("The first routing rule does not look up local addresses."),
    Why.MARKS: _marks,
    Why.LOST_MARKS: lambda _: tr("Marked samples do not reach the fence, so it cannot be audited."),
    Why.DISAGREEMENT: lambda _: tr(
        "The fence passed what the shield would have dropped. It is audited again in an hour."
    ),
    Why.KERNEL: lambda about: tr("The kernel refuses it: {reason}.", reason=about),
    Why.RIGHTS: lambda _: tr("Its process lacks a capability: see docs/shield.md."),
    Why.BPFFS: lambda about: tr("No BPF file system is mounted at {path}.", path=about),
    Why.SHARED: lambda about: tr(
        "Others than root could change what is in {path}. Type 'rm -r {path}', and mount the BPF "
        "file system with mode 0700.",
        path=about,
    ),
}

SHIELD_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.SHIELD_DROPS: lambda note: tr(
        "The shield drops its new packets to {services} before the fence sees them.",
        services=", ".join(names(note, "services")),
    ),
    NoteKind.SHIELD_SAMPLES: lambda note: tr(
        "The shield drops most packets before the fence, which notes one in {number} of these.",
        number=f"{note.data['one_in']:,}",
    ),
}
