"""The conntrack helper for SIP, as the kernel has it.

Sources: ``/proc/modules`` (proc(5)), nf_conntrack-sysctl.txt of the kernel's documentation.
"""

from __future__ import annotations

from pathlib import Path

_MODULES = ("nf_conntrack_sip", "nf_nat_sip")
_LOADED = Path("/proc/modules")
_AUTOMATIC = Path("/proc/sys/net/netfilter/nf_conntrack_helper")
"""Gone since Linux 6.0, where no helper is given without a rule."""


def loaded_modules(text: str) -> tuple[str, ...]:
    """Return which of the helper's modules are loaded, by what ``/proc/modules`` says."""
    names = {line.split(" ", 1)[0] for line in text.splitlines()}
    return tuple(name for name in _MODULES if name in names)


def read_loaded() -> tuple[str, ...]:
    """Return which of the helper's modules are loaded; built-in ones do not count."""
    return loaded_modules(_text(_LOADED))


def is_automatic() -> bool:
    """Whether the kernel gives connections a helper without a rule."""
    return _text(_AUTOMATIC).strip() == "1"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:  # a kernel without modules, or a newer one
        return ""
