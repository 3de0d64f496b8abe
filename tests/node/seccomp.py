"""The seccomp profile RuntimeDefault: that of Podman and CRI-O, as Debian packages it, for runc."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def seccomp(profile: Mapping[str, Any], capabilities: Collection[str]) -> dict[str, Any]:
    """Return a profile as an OCI runtime takes it, for a container with some capabilities."""
    rules = [each for each in profile["syscalls"] if _counts(each, capabilities)]
    taken = ("names", "action", "args", "errnoRet")
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{key: each[key] for key in taken if each.get(key)} for each in rules],
    }


def _counts(rule: Mapping[str, Any], capabilities: Collection[str]) -> bool:
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    wanted, unwanted = includes.get("caps") or (), excludes.get("caps") or ()
    here = "amd64" in (includes.get("arches") or ("amd64",))
    there = "amd64" in (excludes.get("arches") or ())
    return (
        here
        and not there
        and all(each in capabilities for each in wanted)
        and not any(each in capabilities for each in unwanted)
    )
