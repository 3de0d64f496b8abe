"""Sentences about bans."""

from __future__ import annotations

from geofence.guards.ban_targets import BROADEST, BanRefusal
from geofence.model.prefixes import Prefix, prefix_text
from geofence.translation import tr


def ban_refusal(prefix: Prefix, why: BanRefusal) -> str:  # noqa: PLR0911 - one for each kind
    """Return why a prefix is not banned."""
    named = prefix_text(prefix)
    match why:
        case BanRefusal.UNSPECIFIED:
            return tr(
                "{prefix} was not banned: no host has such an address. A log may name it by "
                "mistake.",
                prefix=named,
            )
        case BanRefusal.LOOPBACK:
            return tr("{prefix} was not banned: it is this host's loopback.", prefix=named)
        case BanRefusal.OWN:
            return tr("{prefix} was not banned: this host has an address in it.", prefix=named)
        case BanRefusal.NO_SOURCE:
            return tr(
                "{prefix} was not banned: it is multicast or reserved, and no packet comes from "
                "there.",
                prefix=named,
            )
        case BanRefusal.LOCAL:
            return tr("{prefix} was not banned: it is in a local network.", prefix=named)
        case BanRefusal.EXCEPTION:
            return tr(
                "{prefix} was not banned: an exception allows it. Run 'geofence revoke' first; "
                "'geofence exceptions' shows its name.",
                prefix=named,
            )
        case BanRefusal.TOO_BROAD:
            return tr(
                "{prefix} was not banned: it is broader than /{longest}. Block whole countries "
                "with the rules.",
                prefix=named,
                longest=BROADEST[prefix.family],
            )
