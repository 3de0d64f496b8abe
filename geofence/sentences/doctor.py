"""Findings of ``doctor`` as sentences: what is wrong, what shows it, what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.allowed.active_exceptions import Inactive, Obstacle
from geofence.doctor.findings import Finding, FindingKind, Subject, Unchecked, WhyUnchecked
from geofence.model.shield import ShieldReason, Why
from geofence.sentences.doctor_cluster import CLUSTER_TEXTS
from geofence.sentences.doctor_others import OTHERS_TEXTS
from geofence.sentences.doctor_pbx import PBX_TEXTS
from geofence.sentences.doctor_texts import FindingTexts, labels, words
from geofence.sentences.exceptions import obstacle_text
from geofence.sentences.shield import reason_text
from geofence.translation import english, join, tr, trn

__all__ = ["FindingTexts", "finding_json", "finding_texts", "unchecked_json", "unchecked_text"]

DOCUMENT = "docs/troubleshooting.md"
_SHOWN = 3
"""Names that a sentence lists."""


def finding_texts(finding: Finding) -> FindingTexts:
    """Return what a finding tells people."""
    return _TEXTS[finding.kind](finding)


def page(kind: FindingKind) -> str:
    """Return where the documentation is on a kind of finding."""
    return f"{DOCUMENT}#{kind}"


def finding_json(finding: Finding) -> dict[str, object]:
    """Return a finding for scripts: its facts, and its sentences in English."""
    texts = finding_texts(finding)
    return {
        "kind": finding.kind.value,
        "severity": finding.severity.value,
        "subject": finding.subject,
        "data": dict(finding.data),
        "finding": english(texts.finding),
        "evidence": english(texts.evidence),
        "remedy": english(texts.remedy),
        "page": page(finding.kind),
    }


def unchecked_json(unchecked: Unchecked) -> dict[str, object]:
    """Return for scripts what could not be checked."""
    return {
        "subject": unchecked.subject.value,
        "why": unchecked.why.value,
        "message": english(unchecked.message),
        "text": english(unchecked_text(unchecked)),
    }


def unchecked_text(unchecked: Unchecked) -> str:
    """Return what could not be checked, and why."""
    what = _what(unchecked.subject)
    if unchecked.subject is Subject.PUBLIC_ADDRESS:
        return _public(unchecked)
    text = {
        WhyUnchecked.NOT_ROOT: tr("Not checked without root: {what}.", what=what),
        WhyUnchecked.NOT_THERE: tr("Not checked, since it is not here: {what}.", what=what),
        WhyUnchecked.FAILED: tr("Not checked: {what}.", what=what),
        WhyUnchecked.PARTLY: tr("Only partly checked: {what}.", what=what),
    }[unchecked.why]
    return join(" ", (text, unchecked.message)) if unchecked.message else text


def _public(unchecked: Unchecked) -> str:
    if unchecked.why is WhyUnchecked.NOT_THERE:
        return tr(
            "Not checked: whether external_* is this host's address. It has only private ones, and "
            "no STUN server was asked."
        )
    return tr(
        "Not checked: whether external_* is this host's address. {reason}",
        reason=unchecked.message,
    )


def _what(subject: Subject) -> str:
    return {
        Subject.FENCE: tr("the fence in the kernel"),
        Subject.OTHER_RULES: tr("rules of other programs"),
        Subject.CONNECTIONS: tr("current connections"),
        Subject.STARTUP: tr("units that run at boot"),
        Subject.CLOCK: tr("the clock"),
        Subject.SOCKETS: tr("which processes hold which ports"),
        Subject.ASTERISK: tr("Asterisk's configuration"),
        Subject.CONSOLE: tr("registered contacts and codecs of the running Asterisk"),
        Subject.ADDRESSES: tr("this host's addresses"),
        Subject.PUBLIC_ADDRESS: tr("this host's public address"),
        Subject.FAIL2BAN: tr("fail2ban's jails"),
        Subject.CLUSTER: tr("the cluster of a target"),
    }[subject]


def _no_fence(found: Finding) -> FindingTexts:
    families = words(found, "families")
    if found.data["other"]:
        return FindingTexts(
            tr(
                "{families} is open to everybody, and only the other family is fenced.",
                families=labels(families),
            ),
            tr("No packet of {families} enters the fence.", families=labels(families)),
            tr("Run 'geofence repair'. If that does not help, see 'geofence status'."),
        )
    return FindingTexts(
        tr("There is NO FENCE: everybody reaches the ports."),
        tr("No packet enters a fence in the kernel."),
        tr("Run 'geofence restore', or 'geofence refresh' if nothing has been applied yet."),
    )


def _shield_off(found: Finding) -> FindingTexts:
    what = tr("The shield is off, so the fence drops everything itself.")
    if not found.data["kept"]:
        return FindingTexts(
            what,
            tr("The rules have 'enabled = true' in [shield], and no process keeps the shield."),
            tr("Run 'systemctl enable --now geofence-shield'."),
        )
    known = found.data["reasons"]
    reasons = [
        reason_text(ShieldReason(Why(each["why"]), each["subject"]))
        for each in (known if isinstance(known, list) else ())
    ]
    return FindingTexts(
        what,
        join(" ", reasons) if reasons else tr("Its process has just started."),
        tr("See docs/shield.md. Without [shield], nothing is lost but speed under a flood."),
    )


def _run_failed(found: Finding) -> FindingTexts:
    if found.subject == "daemon":
        what = tr("The daemon cannot repair the fence.")
    else:
        what = tr("The last 'geofence {command}' failed.", command=found.subject)
        if found.data["ending"] == "degraded":
            what = tr("The last 'geofence {command}' was incomplete.", command=found.subject)
        if found.data["ending"] == "refused":
            what = tr("A check refused the last 'geofence {command}'.", command=found.subject)
    again = tr("Do what the message says, then run 'geofence refresh'.")
    return FindingTexts(what, str(found.data["message"]), again)


def _inactive(found: Finding) -> FindingTexts:
    obstacle = Obstacle(str(found.data["obstacle"]))
    return FindingTexts(
        tr("The exception {name} is enabled but allows nobody.", name=found.subject),
        obstacle_text(Inactive(found.subject, obstacle, tuple(words(found, "hosts")))),
        {
            Obstacle.NO_FENCE: tr("Run 'geofence restore'."),
            Obstacle.OUTSIDE_PIN: tr("Correct 'within' of the exception."),
            Obstacle.UNRESOLVED: tr(
                "Check the name with 'geofence why {host}'.",
                host=(words(found, "hosts") or [found.subject])[0],
            ),
            Obstacle.NO_SERVICE: tr("Enable one of its services, or revoke the exception."),
            Obstacle.NOT_APPLIED: tr("Run 'geofence apply'."),
        }[obstacle],
    )


def _boot(found: Finding) -> FindingTexts:
    unmask = tr(
        "Run 'systemctl unmask geofence-restore.service', then 'systemctl enable --now "
        "geofence-restore.service'."
    )
    return FindingTexts(
        tr("After the next boot there is no fence."),
        tr("geofence-restore.service is masked.")
        if found.data["masked"]
        else tr("Neither geofence-restore.service nor cron restores the fence at boot."),
        unmask
        if found.data["masked"]
        else tr("Run 'systemctl enable --now geofence-restore.service'."),
    )


def _clock_wrong(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr("The clock of this host is wrong."),
        tr(
            "Something was stored at {stored}, which is in the future.", stored=found.data["stored"]
        ),
        tr("Set the clock, and enable a time service such as chrony."),
    )


_TEXTS: Mapping[FindingKind, Callable[[Finding], FindingTexts]] = {
    **PBX_TEXTS,
    **OTHERS_TEXTS,
    **CLUSTER_TEXTS,
    FindingKind.NO_FENCE: _no_fence,
    FindingKind.FENCE_DIFFERS: lambda found: FindingTexts(
        tr("The fence in the kernel differs from what was applied."),
        trn(
            int(str(found.data["differences"])),
            "{number} difference; 'geofence status --full' shows it.",
            "{number} differences; 'geofence status --full' shows them.",
        ),
        tr("Run 'geofence repair'."),
    ),
    FindingKind.RULES_BROKEN: lambda found: FindingTexts(
        tr("The rules do not load, so no change of them is applied."),
        str(found.data["message"]),
        tr("Correct the file and line that the message names."),
    ),
    FindingKind.RULES_NOT_APPLIED: lambda _: FindingTexts(
        tr("Edited rules or newer lists are not applied yet."),
        tr("'geofence plan --offline' shows the difference."),
        tr("Run 'geofence apply'."),
    ),
    FindingKind.OBSERVED_ONLY: lambda found: FindingTexts(
        tr(
            "{services}: only observed. Everybody gets in.",
            services=", ".join(words(found, "services")),
        ),
        tr("The rules have 'observe = true'."),
        tr("Allow what 'geofence denied' shows and you know. Then remove 'observe'."),
    ),
    FindingKind.SHIELD_OFF: _shield_off,
    FindingKind.EXCEPTION_INACTIVE: _inactive,
    FindingKind.LIST_STALE: lambda found: FindingTexts(
        tr("The list {list} is old.", list=found.subject),
        tr("Its source last confirmed it on {date}.", date=found.data["checked_on"]),
        tr("Run 'geofence refresh', and see what it says."),
    ),
    FindingKind.LIST_MISSING: lambda found: FindingTexts(
        tr("The list {list} has not been downloaded yet.", list=found.subject),
        tr("The rules need it."),
        tr("Run 'geofence refresh'."),
    ),
    FindingKind.CLOCK_WRONG: _clock_wrong,
    FindingKind.CLOCK_UNSYNCHRONISED: lambda _: FindingTexts(
        tr("Nothing keeps the clock of this host right."),
        tr("The kernel says that the clock is not synchronised."),
        tr("Enable a time service such as chrony or systemd-timesyncd."),
    ),
    FindingKind.BOOT_UNIT_MISSING: _boot,
    FindingKind.NO_RENEWAL: lambda _: FindingTexts(
        tr("Nothing downloads the lists, so they grow old."),
        tr("No timer, daemon or cron file runs 'geofence refresh'."),
        tr("Run 'systemctl enable --now geofence-refresh.timer'."),
    ),
    FindingKind.RUN_FAILED: _run_failed,
}
