"""Conflicts: programs on this host that empty the tables of iptables."""

from __future__ import annotations

import re

from geofence.backends.ipset.startup import StartupProgram, startup_programs
from geofence.lean import Path
from geofence.translation import tr, trn

ROOT = Path("/")
"""The system that is looked at."""

_KNOWN = {
    "apf": "APF",
    "arno-iptables-firewall": "arno-iptables-firewall",
    "csf": "csf",
    "ferm": "ferm",
    "firehol": "FireHOL",
    "firewalld": "firewalld",
    "ip6tables": "ip6tables.service",
    "iptables": "iptables.service",
    "iptables-persistent": "iptables-persistent",
    "lfd": "csf",
    "netfilter-persistent": "netfilter-persistent",
    "shorewall": "Shorewall",
    "shorewall-lite": "Shorewall",
    "shorewall6": "Shorewall",
    "shorewall6-lite": "Shorewall",
    "vuurmuur": "Vuurmuur",
}
"""By the name of the unit or init script: programs that flush tables of iptables when they start,
or load rules that were saved for whole tables."""

_OWN = "geofence"
_IPTABLES = r"(?:ip6?tables(?:-(?:nft|legacy))?|\$\{?\w*(?:IPT|ipt)\w*\}?)"
_FLUSHES = rf"""(?x)
    ip6?tables(?:-(?:nft|legacy))?-restore\b(?!.*\s(?:-n|--noflush|--test)\b)(?!.*\s-T\b)
    | {_IPTABLES}"?(?=\s)(?=.*(?:-t|--table)[\s=]*(?:mangle\b|["']?\$))
        (?=.*\s(?:-F|--flush|-X|--delete-chain)\s*["']?(?:PREROUTING\b|$|[;&|>)]|-t\b|--table))
    | \bipset\s+(?:flush|destroy|-F|-X|x)\s*(?:$|[;&|>])
    """
"""A command that empties PREROUTING of the table mangle, or destroys all sets."""
_TELLING = ("ipt", "ip6t", "ipset")
"""One of these is part of every such command, in small letters."""
_ACTS = ("restore", "flush", "destroy", "delete-chain", "-F", "-X", " x", "\tx")
"""So is one of these, as it is."""

_UFW_DEFAULTS, _UFW_SETTINGS = "etc/default/ufw", "etc/ufw/ufw.conf"
_UFW_MANAGES = r"(?mi)^\s*MANAGE_BUILTINS=[\"']?yes"
_UFW_ENABLED = r"(?mi)^\s*ENABLED=[\"']?yes"


def rival() -> str | None:
    """Return which program here would remove the fence's rules again and again, or None.

    firewalld, for one, flushes all tables of iptables when it starts, stops and reloads
    (``firewall.core.fw.Firewall.flush``): its first version whichever of its own backends it uses,
    its second where that is iptables. What counts is that a program is enabled
    and not that it runs: at boot, the fence is there before it.

    Programs are known by name; of all other units, init scripts and hooks of the network the
    commands are read.
    """
    names = dict.fromkeys(
        name for each in startup_programs(ROOT) if (name := _rival(each)) is not None
    )
    if _ufw_flushes():
        names[tr("ufw with MANAGE_BUILTINS=yes")] = None
    if not names:
        return None
    return trn(
        len(names),
        "{programs} is enabled here and flushes iptables, with the fence in it, whenever it is "
        "started or reloaded.",
        "{programs} are enabled here and flush iptables, with the fence in it, whenever they are "
        "started or reloaded.",
        programs=tr(" and ").join(names),
    )


def _rival(found: StartupProgram) -> str | None:
    """Return the name of a program that does; None for any other."""
    if found.name.startswith(_OWN):
        return None
    known = _KNOWN.get(found.name)
    if known is not None:
        return known
    return found.name if _flushes(found.text) else None


def _flushes(text: str) -> bool:
    if not _tells(text):
        return False
    lines = (line for line in _commands(text) if any(act in line for act in _ACTS))
    return any(re.search(_FLUSHES, line) for line in lines if _tells(line))


def _tells(text: str) -> bool:
    """Whether it may name a program that flushes; each program that does has such a word."""
    lowered = text.lower()
    return any(word in lowered for word in _TELLING)


def _commands(text: str) -> list[str]:
    """Return the lines without those that are only comments."""
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def _ufw_flushes() -> bool:
    """Whether ufw is on and was told that no rules but its own are wanted."""
    defaults, settings = (_text(ROOT / name) for name in (_UFW_DEFAULTS, _UFW_SETTINGS))
    if not (defaults and settings):
        return False
    return bool(re.search(_UFW_MANAGES, defaults) and re.search(_UFW_ENABLED, settings))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # there is no ufw
        return ""
