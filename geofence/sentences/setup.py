"""Sentences of notes on set-up: what was found, and what the operator has to know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.model.evidence import Evidence
from geofence.model.notes import Note, NoteKind
from geofence.sentences.lists import names
from geofence.translation import tr


def evidence_text(evidence: Evidence) -> str:
    """Return what makes a country likely, as a clause."""
    return {
        Evidence.CONTACTS: tr("the registered phones"),
        Evidence.HOST: tr("this host's address"),
        Evidence.ZONE: tr("the time zone"),
        Evidence.LOCALE: tr("the locale"),
        Evidence.PEERS: tr("who talks to the PBX now"),
        Evidence.OPERATOR: tr("your SSH session"),
    }[evidence]


def _ssh(note: Note) -> str:
    address, port = note.data["address"], note.data["port"]
    if note.subject:
        return tr(
            "Your SSH session from {address} comes to port {port}/tcp, which is a port of the "
            "service {service}: remove it there, or SSH will be fenced.",
            address=address,
            port=port,
            service=note.subject,
        )
    return tr(
        "SSH is not fenced: your session from {address} to port {port}/tcp is not affected.",
        address=address,
        port=port,
    )


SETUP_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.SETUP_NO_ASTERISK: lambda _: tr(
        "No configuration of Asterisk was found. The services are those that ship. If Asterisk "
        "runs in a container, name its directory with --asterisk-dir."
    ),
    NoteKind.SETUP_ASTERISK_HIDDEN: lambda note: tr(
        "Asterisk runs in a container (process {processes}). Its configuration is not a directory "
        "of this host, or others than root can replace it. Name the right directory with "
        "--asterisk-dir; if there is none, mount the configuration from one.",
        processes=", ".join(names(note, "processes")),
    ),
    NoteKind.SETUP_TOO_BROAD: lambda note: tr(
        "The trunk {name} has {prefixes}, broader than a trunk's should be, and becomes no rule. "
        "If it is right, allow it with 'geofence allow'.",
        name=note.subject,
        prefixes=", ".join(names(note, "prefixes")),
    ),
    NoteKind.SETUP_NOT_FENCED: lambda note: tr(
        "Asterisk listens on {ports}, which {place} leaves out. Add it there.",
        ports=note.subject,
        place=note.data["place"],
    ),
    NoteKind.SETUP_RULES_SAY: lambda note: tr(
        "{place} has {key}. It stays as it is.", place=note.data["place"], key=note.subject
    ),
    NoteKind.SETUP_SSH: _ssh,
    NoteKind.SETUP_SSHD: lambda note: tr(
        "sshd listens on port {port}/tcp, which is a port of the service {service}. Nobody outside "
        "the allowed countries could log in any more. Remove the port from the service, or run it "
        "again with --accept ssh.",
        port=note.data["port"],
        service=note.subject,
    ),
    NoteKind.SETUP_WAY_OUT: lambda note: tr(
        "The VPN {name} leads to the Internet, so packets on it are fenced like any other.",
        name=note.subject,
    ),
    NoteKind.SETUP_FIREWALLS: lambda note: tr(
        "Other programs have firewall rules, too: {programs}. What they block stays blocked.",
        programs=", ".join(names(note, "programs")),
    ),
    NoteKind.SETUP_DOCKER: lambda note: tr(
        "Docker publishes {ports}. The fence holds for these, too, if a service has them.",
        ports=", ".join(names(note, "ports")),
    ),
    NoteKind.SETUP_COUNTRY_UNKNOWN: lambda note: tr(
        "The country of this host's address {address} is not known. 'geofence atlas --renew' "
        "downloads the lists that tell.",
        address=note.subject,
    ),
    NoteKind.SETUP_NO_SYSTEMD: lambda _: tr(
        "This host does not run systemd: have 'geofence restore' run at boot and 'geofence "
        "refresh' daily (see geofence.cron)."
    ),
    NoteKind.SETUP_NO_UNITS: lambda _: tr(
        "The units are not installed, so the fence will not survive a reboot. Run './bootstrap "
        "install', then 'geofence setup' again."
    ),
    NoteKind.SETUP_OTHER_PLACE: lambda _: tr(
        "Units and fail2ban's jail are for the usual directories of rules and state; they are left "
        "alone here."
    ),
    NoteKind.SETUP_STEP_FAILED: lambda note: {
        "fail2ban": tr(
            "fail2ban's jail could not be set up: {reason}", reason=note.data["message"]
        ),
        "units": tr(
            "The units could not be enabled: {reason} The fence will not survive a reboot.",
            reason=note.data["message"],
        ),
    }[note.subject],
    NoteKind.SETUP_STEP_DONE: lambda note: {
        "fail2ban": tr("fail2ban bans through geofence now ('fail2ban-client status')."),
        "units": tr("The fence is restored at boot and refreshed daily."),
    }[note.subject],
}
