"""What the kernel's refusals to change its IP sets mean; imported where there is one."""

from __future__ import annotations

import errno

from geofence.errors import BackendError, BackendUnavailable
from geofence.translation import tr

_MAX_SETS = 4099
_BUSY = 4100
_REFERENCED = 4108


def refusal_of(failure: str, lacking: frozenset[int], error: OSError | ValueError) -> BackendError:
    """Return the kernel's refusal as geofence's error.

    Args:
        failure: what could not be done, a sentence.
        lacking: error numbers by which the kernel says that it has no ipset.
        error: what it said.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.EPERM, errno.EACCES):
        return BackendUnavailable(needs_privilege())
    if code in lacking:
        return BackendUnavailable(
            tr(
                "This kernel has no ipset (hash:net). Load it with 'modprobe ip_set_hash_net', or "
                'set backend = "nftables" in the rules.'
            )
        )
    return BackendError(tr("{first} {second}", first=failure, second=_reason(error)))


def _reason(error: OSError | ValueError) -> str:
    match error:
        case OSError(errno=code) if code in (_BUSY, _REFERENCED):
            return tr(
                "A rule that geofence did not make refers to it. Find that rule with "
                "'iptables-save | grep geofence', remove it, and try again."
            )
        case OSError(errno=code) if code == _MAX_SETS:
            return tr("The kernel has reached its limit of IP sets.")
        case OSError(errno=code) if code == errno.ENOMEM:
            return tr("The kernel is out of memory.")
        case OSError():
            return tr("The kernel refused: {reason}.", reason=error)
    return tr("The kernel's answer makes no sense: {reason}.", reason=error)


def needs_privilege() -> str:
    """Return what to do where the privilege to use ipset is missing."""
    return tr(
        "The kernel's IP sets need CAP_NET_ADMIN. Run geofence as root, for example with sudo."
    )
