"""Suggestions for an unknown verb."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from geofence.spelling import nearest, quoted
from geofence.translation import tr

_MEANT = {
    "status": (
        "list",
        "ls",
        "show",
        "stat",
        "state",
        "stats",
        "info",
        "check",
        "drops",
        "counters",
    ),
    "why": ("test", "query", "lookup", "explain", "who", "whois", "ask", "trace"),
    "history": ("log", "logs", "generations", "versions"),
    "plan": ("diff", "preview", "dry-run", "validate", "lint"),
    "refresh": ("update", "fetch", "sync", "download", "renew", "upgrade"),
    "apply": ("reload", "load", "commit", "restart"),
    "restore": ("start", "up", "on", "enable"),
    "remove": ("stop", "down", "off", "disable", "flush", "clear", "uninstall", "delete", "reset"),
    "rollback": ("undo", "revert", "back"),
    "revoke": ("disallow",),
    "ban": ("block", "deny", "drop", "reject", "blacklist", "blocklist", "denylist"),
    "unban": ("unblock", "undeny"),
    "catalog": ("search", "find", "provider", "providers", "trunk", "trunks", "push"),
    "allow": ("permit", "exceptions", "exception"),
}


def unknown_verb(word: str, known: Sequence[str]) -> str:
    """Return a sentence: that there is no such verb, and what to type instead."""
    plain = unicodedata.normalize("NFKC", word).casefold().replace("_", "-")
    verb = _verb_meant(plain, known)
    if verb:
        return tr(
            "unknown command {word}; did you mean 'geofence {verb}'?", word=quoted(word), verb=verb
        )
    hint = _hint(plain)
    if hint:
        return tr("unknown command {word}. {hint}", word=quoted(word), hint=hint)
    return tr(
        "unknown command {word}; the commands are {known}.",
        word=quoted(word),
        known=", ".join(sorted(known)),
    )


def _verb_meant(word: str, known: Sequence[str]) -> str:
    if word in known:
        return word
    for verb, others in _MEANT.items():
        if word in others and verb in known:
            return verb
    return "" if _hint(word) else next(iter(nearest(word, known)), "")


def _hint(word: str) -> str:
    """Return what to do for a wish that no verb fulfils; empty for an unknown one."""
    match word:
        case "add" | "accept" | "whitelist" | "allowlist" | "trust":
            return tr(
                "To allow an address, add an exception to your rules and run 'geofence apply'."
            )
        case "version":
            return tr("'geofence --version' prints the version.")
        case "help" | "commands":
            return tr("'geofence --help' lists the commands.")
        case "install" | "setup":
            return tr("Run './bootstrap install' in the checkout.")
    return ""
