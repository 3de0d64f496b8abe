"""What was meant by a word that is no verb."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from geofence.spelling import nearest, quoted

_EXCEPTION = "to allow an address, write an exception into your rules and run 'geofence apply'"
_BLOCKLIST = (
    'to block an address, write [blocklist.NAME] with prefixes = ["203.0.113.7/32"] into your '
    "rules and run 'geofence apply --cut'"
)
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
    "allow": ("permit", "exceptions", "exception"),
}
_SAID = {
    _BLOCKLIST: ("ban", "block", "deny", "drop", "reject", "blacklist", "blocklist", "denylist"),
    _EXCEPTION: ("add", "accept", "whitelist", "allowlist", "trust"),
    "to end a ban, take the address out of the blocklist in your rules and run 'geofence apply'": (
        "unban",
        "unblock",
        "undeny",
    ),
    "'geofence --version' prints the version": ("version",),
    "'geofence --help' lists the commands": ("help", "commands"),
    "run './bootstrap install' in the checkout": ("install", "setup"),
}


def unknown_verb(word: str, known: Sequence[str]) -> str:
    """Return a sentence: that there is no such verb, and which does what was meant."""
    plain = unicodedata.normalize("NFKC", word).casefold().replace("_", "-")
    said = f"unknown command {quoted(word)}; {_meant(plain, known)}"
    return said if said.endswith("?") else f"{said}."


def _meant(word: str, known: Sequence[str]) -> str:
    if word in known:
        return f"did you mean 'geofence {word}'?"
    for verb, others in _MEANT.items():
        if word in others and verb in known:
            return f"did you mean 'geofence {verb}'?"
    for said, others in _SAID.items():
        if word in others:
            return said
    guesses = nearest(word, known)
    if guesses:
        return f"did you mean 'geofence {guesses[0]}'?"
    return f"the commands are {', '.join(sorted(known))}"
