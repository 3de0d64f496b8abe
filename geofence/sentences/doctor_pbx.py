"""Findings of ``doctor`` about the PBX as sentences: ports, media, NAT, trunks, phones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.doctor.findings import Finding, FindingKind
from geofence.sentences.doctor_texts import FindingTexts, words
from geofence.spelling import listed
from geofence.translation import tr, trn

_SHOWN = 3
"""Addresses that a sentence lists."""


def _heard(found: Finding) -> str:
    """Return who listens on a port, and where."""
    facts = {
        "process": found.data["process"],
        "port": found.subject,
        "where": found.data["where"],
    }
    if found.data["bound"]:
        return tr("{process} listens on {where}, {port}.", **facts)
    return tr("Asterisk listens on {port} by {where}.", **facts)


def _not_fenced(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr("{port} is open to everybody.", port=found.subject),
        _heard(found),
        tr(
            "Add {port} to the ports of a service in the rules. If nobody else needs it, bind it "
            "to 127.0.0.1.",
            port=found.subject,
        ),
    )


def _mixed_up(found: Finding) -> FindingTexts:
    facts = {"port": found.subject, "fenced": found.data["fenced"]}
    return FindingTexts(
        tr("{port} is open to everybody: the rules fence {fenced} instead.", **facts),
        _heard(found),
        tr("Write {port} in the rules, and run 'geofence apply'.", **facts),
    )


def _not_bound(found: Finding) -> FindingTexts:
    facts = {"ports": found.subject, "service": found.data["service"]}
    return FindingTexts(
        tr("Nothing listens on {ports}, which {service} fences.", **facts),
        tr("No process has a socket there, and Asterisk's configuration has none."),
        tr("If the PBX listens elsewhere, correct the ports of {service}.", **facts),
    )


def _rtp(found: Finding) -> FindingTexts:
    facts = {"ports": found.data["ports"], "missing": found.subject, "source": found.data["source"]}
    return FindingTexts(
        tr("Media ports are open to everybody: {missing}.", **facts),
        tr("The PBX uses {ports} for media ({source}).", **facts),
        tr("Write {ports} as the ports of the service for RTP, and run 'geofence apply'.", **facts),
    )


def _rtcp(found: Finding) -> FindingTexts:
    facts = {"ports": found.data["ports"], "port": found.subject, "source": found.data["source"]}
    return FindingTexts(
        tr("The last port of RTCP, {port}, is open to everybody.", **facts),
        tr("The range ends with an even port ({source}); RTCP uses the one above it.", **facts),
        tr("Write {ports} as the ports of the service for RTP, and run 'geofence apply'.", **facts),
    )


def _too_wide(found: Finding) -> FindingTexts:
    facts = {"ports": found.data["ports"], "rest": found.subject, "service": found.data["service"]}
    return FindingTexts(
        tr("{service} fences more ports than the PBX uses for media: {rest}.", **facts),
        tr("The PBX uses {ports}.", **facts),
        tr("Nothing is open by that. If other programs need {rest}, fence only {ports}.", **facts),
    )


def _held(found: Finding) -> FindingTexts:
    number = int(str(found.data["held"]))
    facts = {"process": found.data["process"], "port": found.subject}
    return FindingTexts(
        tr(
            "{process} uses ports of the PBX's media range. The fence applies to it, too: what "
            "strangers send to it is dropped.",
            **facts,
        ),
        trn(
            number,
            "{process} holds {number} port of the range: {port}.",
            "{process} holds {number} ports of the range, {port} the first.",
            **facts,
        ),
        tr("Give {process} other ports (coturn: min-port, max-port), or change rtp.conf.", **facts),
    )


def _media_blocked(found: Finding) -> FindingTexts:
    facts = {"address": found.subject, "service": found.data["service"]}
    return FindingTexts(
        tr("The fence drops what looks like the sound of calls from {address}.", **facts),
        tr(
            "{packets} packets to {service} at the pace of a call.",
            packets=found.data["packets"],
            service=found.data["service"],
        ),
        tr("If it is a provider's media server, add it to the provider's exception."),
    )


def _codecs(found: Finding) -> FindingTexts:
    facts = {"one": found.data["one"], "other": found.data["other"], "codecs": found.subject}
    return FindingTexts(
        tr("Calls between {one} and {other} have no sound: no codec fits.", **facts),
        tr("They share no codec, and no module of Asterisk translates {codecs}.", **facts),
        tr("Allow a codec that both have, such as alaw, or load the module of {codecs}.", **facts),
    )


def _external(found: Finding) -> FindingTexts:
    addresses = listed(words(found, "addresses"), _SHOWN)
    asked = found.data["asked"]
    return FindingTexts(
        tr("Phones are told to send to {address}, which is not this host.", address=found.subject),
        tr(
            "The STUN server {server} sees this host as {addresses}.",
            server=asked,
            addresses=addresses,
        )
        if asked
        else tr("This host has the address {addresses}.", addresses=addresses),
        tr("Correct external_media_address and external_signaling_address in pjsip.conf."),
    )


def _external_private(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr(
            "Phones outside are told to send to {address}, a private address.",
            address=found.subject,
        ),
        tr(
            "external_media_address or external_signaling_address is {address}.",
            address=found.subject,
        ),
        tr("Write this site's public address there."),
    )


def _external_missing(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr("Phones outside are told a private address, so their calls have no sound."),
        tr(
            "This host has only {addresses}, and no transport has external_media_address.",
            addresses=listed(words(found, "addresses"), _SHOWN),
        ),
        tr("Set external_media_address, external_signaling_address and local_net in pjsip.conf."),
    )


def _local_net(found: Finding) -> FindingTexts:
    facts = {"network": found.subject, "interface": found.data["interface"]}
    known = words(found, "known")
    return FindingTexts(
        tr("Phones in {network} are told the public address, so calls may have no sound.", **facts),
        tr(
            "{network} is connected at {interface}; local_net is {known}.",
            known=listed(known, _SHOWN) if known else tr("not set"),
            **facts,
        ),
        tr("Add 'local_net={network}' to the transports in pjsip.conf.", **facts),
    )


def _trunk(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr("Incoming calls of the trunk {host} are blocked.", host=found.subject),
        _blocked(found),
        tr("Write an exception for it in the rules, and run 'geofence refresh'."),
    )


def _blocked(found: Finding) -> str:
    return tr(
        "{addresses} may not reach {services} ({sources}).",
        addresses=listed(words(found, "addresses"), _SHOWN),
        services=", ".join(words(found, "services")),
        sources=listed(words(found, "sources"), _SHOWN),
    )


def _trunk_media(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr(
            "The trunk {host} may call, but its media is blocked until the PBX has sent some.",
            host=found.subject,
        ),
        _blocked(found),
        tr("Add the service for RTP to the 'services' of its exception."),
    )


def _provider_media(found: Finding) -> FindingTexts:
    name = str(found.data["exception"])
    return FindingTexts(
        tr("The media of {provider} is blocked.", provider=found.data["provider"]),
        tr(
            "It sends media from {addresses}, and the trunk {host} is one of its.",
            addresses=listed(words(found, "addresses"), _SHOWN),
            host=found.subject,
        ),
        tr("Run 'geofence allow {name}'.", name=name)
        if name
        else tr("Write an exception for these addresses in the rules."),
    )


def _contact(found: Finding) -> FindingTexts:
    facts = {"name": found.subject, "address": found.data["address"]}
    return FindingTexts(
        tr("{name} is registered from an address that is blocked: calls do not reach it.", **facts),
        tr("Asterisk has the contact {address}.", **facts),
        tr(
            "Ask 'geofence why {address}'. If you know it, run 'geofence allow {address}'.", **facts
        ),
    )


def _push(found: Finding) -> FindingTexts:
    facts = {
        "name": found.subject,
        "address": found.data["address"],
        "exception": found.data["exception"],
    }
    return FindingTexts(
        tr("A push server that {name} is registered by is blocked: it does not ring.", **facts),
        tr("Asterisk has the contact {address}, a server of {exception}.", **facts),
        tr("Run 'geofence allow {exception}'.", **facts),
    )


PBX_TEXTS: Mapping[FindingKind, Callable[[Finding], FindingTexts]] = {
    FindingKind.BOUND_NOT_FENCED: _not_fenced,
    FindingKind.PROTOCOLS_MIXED_UP: _mixed_up,
    FindingKind.FENCED_NOT_BOUND: _not_bound,
    FindingKind.RTP_NOT_FENCED: _rtp,
    FindingKind.RTCP_NOT_FENCED: _rtcp,
    FindingKind.RTP_TOO_WIDE: _too_wide,
    FindingKind.RTP_PORT_HELD: _held,
    FindingKind.MEDIA_BLOCKED: _media_blocked,
    FindingKind.CODEC_NOT_TRANSLATABLE: _codecs,
    FindingKind.EXTERNAL_NOT_OURS: _external,
    FindingKind.EXTERNAL_PRIVATE: _external_private,
    FindingKind.EXTERNAL_MISSING: _external_missing,
    FindingKind.LOCAL_NET_MISSING: _local_net,
    FindingKind.TRUNK_BLOCKED: _trunk,
    FindingKind.TRUNK_UNKNOWN: lambda found: FindingTexts(
        tr("No rule names the trunk {host}.", host=found.subject),
        tr("{sources} names it.", sources=listed(words(found, "sources"), _SHOWN)),
        tr("Write an exception with this host name, and run 'geofence refresh'."),
    ),
    FindingKind.TRUNK_MEDIA_BLOCKED: _trunk_media,
    FindingKind.PROVIDER_MEDIA_BLOCKED: _provider_media,
    FindingKind.UNNAMED_PEER: lambda found: FindingTexts(
        tr("This host contacts {address}, and no rule allows it.", address=found.subject),
        tr("Its calls are dropped when the connection was silent for some minutes."),
        tr("If it is a trunk, write an exception for it."),
    ),
    FindingKind.CONTACT_BLOCKED: _contact,
    FindingKind.PUSH_SERVER_BLOCKED: _push,
    FindingKind.CONFIGURATION_REFUSED: lambda found: FindingTexts(
        tr("Asterisk refuses {file}, so nothing in it counts.", file=found.subject),
        tr("The file breaks Asterisk's grammar; 'geofence discover' says where."),
        tr("Correct it, and reload Asterisk."),
    ),
}
