"""The shield, as text and as JSON."""

from __future__ import annotations

from geofence.model.shield import ShieldRecord, ShieldState
from geofence.operations.shield_status import ShieldStatus
from geofence.screen import Screen
from geofence.sentences.shield import left_out_text, reason_text, record_text
from geofence.translation import english, join, tr, trn


def show_shield(screen: Screen, shield: ShieldStatus) -> None:
    """Print how the shield is, and what it has dropped."""
    text, is_well = _headline(shield)
    screen.say(text, "" if is_well else "yellow")
    dropped = sum(each.packets for each in shield.record.dropped) if shield.record else 0
    if dropped:
        screen.say(
            trn(
                dropped,
                "The shield dropped {number} packet before the fence since the boot.",
                "The shield dropped {number} packets before the fence since the boot.",
            )
        )


def _headline(shield: ShieldStatus) -> tuple[str, bool]:
    """Return a sentence or two, and whether all is well."""
    record = shield.record
    if not shield.kept and (shield.enabled or (record and record.interfaces)):
        unit = tr("Its process does not run: 'systemctl enable --now geofence-shield' starts it.")
        return join(" ", (record_text(record) if record else tr("The shield is off."), unit)), False
    if record is None:
        return tr("The shield is off."), not shield.enabled
    if shield.differs:
        return tr("The shield is being put up again, since something has changed."), True
    return record_text(record), record.state is not ShieldState.OFF or not shield.enabled


def shield_json(shield: ShieldStatus | None) -> dict[str, object] | None:
    """Return the shield for scripts; times are UTC."""
    if shield is None:
        return None
    record = shield.record
    return {
        "enabled": shield.enabled,
        "kept": shield.kept,
        "differs": shield.differs,
        **(_record_json(record) if record else {"state": ShieldState.OFF.value}),
        "text": english(_headline(shield)[0]),
    }


def _record_json(record: ShieldRecord) -> dict[str, object]:
    return {
        "state": record.state.value,
        "since": record.since.isoformat(),
        "generation": record.generation,
        "reasons": [
            {"why": why.value, "subject": subject, "text": english(reason_text(each))}
            for each in record.reasons
            for why, subject in [each]
        ],
        "left_out": [
            {"service": each.service, "why": each.why.value, "text": english(left_out_text(each))}
            for each in record.left_out
        ],
        "interfaces": [{"interface": each.name, "how": each.how} for each in record.interfaces],
        "mark": record.mark,
        "samples": record.samples,
        "dropped": [
            {
                "service": each.service,
                "family": each.family.value,
                "packets": each.packets,
                "octets": each.octets,
            }
            for each in record.dropped
        ],
    }
