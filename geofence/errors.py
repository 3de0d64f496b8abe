"""Every error that geofence raises on purpose, and the exit code each one means.

::

    GeofenceError                 1  failed
    ├── RulesError                2  the rules do not load (file, line, what was expected)
    ├── UsageError                2  the command line names something unknown
    ├── ListError                 1  a list could not be downloaded, or is not valid
    │   └── MissingListError      1  a needed list has not been downloaded yet
    ├── MirrorError               1  a mirror for other hosts cannot be written, or not verified
    ├── StateError                1  the state directory cannot be read or written
    │   └── LockError             1  its file system has no locks
    ├── BackendError              1  the kernel or a program of the backend refused
    │   ├── BackendUnavailable    1  privilege, program or kernel support is missing
    │   │   └── PrivilegeError    1  the command needs root
    │   └── UntidyError           1  the fence is applied, but parts of the previous are left
    ├── TargetError               1  a cluster refused, or its objects cannot be read
    │   └── ClusterError          1  an API server refused, or did not answer
    ├── VerificationError         1  the kernel does not hold what was committed
    ├── AsteriskError             1  there is no configuration of Asterisk that can be read
    ├── LabError                  1  a step of the demo or of a test's network failed
    │   └── LabUnavailable        1  no throw-away network can be made here
    ├── GuardRefusal              3  a check refused the plan
    └── BusyError                 4  another run holds the lock

A message says what happened, what it means for the fence, and what to do. Foreign exceptions are
translated where they enter (``raise … from``), so any other exception is a bug.
"""

from __future__ import annotations

from enum import IntEnum

from geofence.lean import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes of the command; documented in docs/operation.md."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    BUSY = 4
    DEGRADED = 5
    """Done, but with at least one list that could not be renewed."""
    CHANGES = 6
    """``plan --exit-code``: there is something to apply; ``status``: the fence is not that of
    a generation."""


class GeofenceError(Exception):
    """Base of all errors that geofence raises on purpose."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class RulesError(GeofenceError):
    """The rules do not load; nothing is applied from them."""

    exit_code = ExitCode.USAGE


class UsageError(GeofenceError):
    """The command line names something that does not exist."""

    exit_code = ExitCode.USAGE


class ListError(GeofenceError):
    """A list could not be downloaded, or is not valid."""


class MissingListError(ListError):
    """A needed list has not been downloaded yet."""


class MirrorError(GeofenceError):
    """A mirror for other hosts cannot be signed and written, or nothing verifies one."""


class StateError(GeofenceError):
    """The state directory cannot be read or written, or holds something damaged."""


class LockError(StateError):
    """The state directory cannot be locked; it can still be read."""


class BackendError(GeofenceError):
    """The kernel, or a program that a backend runs, refused."""


class BackendUnavailable(BackendError):  # noqa: N818 - says what is the case, not that it is an error
    """Privilege, a program or kernel support is missing; the message names the remedy."""


class PrivilegeError(BackendUnavailable):
    """A command needs root, and is not run as root; nothing was read or changed."""


class UntidyError(BackendError):
    """The fence is applied, but parts of the previous one could not be removed."""


class TargetError(GeofenceError):
    """A cluster refused, or holds objects that are not as geofence makes them."""


class ClusterError(TargetError):
    """An API server refused, or did not answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Make it.

        Args:
            message: sentences for people.
            status: code of the answer; 0 for none.
        """
        super().__init__(message)
        self.status = status


class VerificationError(GeofenceError):
    """The kernel, read back, does not hold what was committed."""


class AsteriskError(GeofenceError):
    """There is no configuration of Asterisk, or it cannot be read."""


class LabError(GeofenceError):
    """A step of the demo's, or a test's, throw-away network failed."""


class LabUnavailable(LabError):  # noqa: N818 - says what is the case, not that it is an error
    """No throw-away network can be made here; the message names the remedy."""


class GuardRefusal(GeofenceError):  # noqa: N818 - a refusal is the guard's right outcome
    """A check refused the plan; the message says how to proceed."""

    exit_code = ExitCode.REFUSED


class BusyError(GeofenceError):
    """Another run holds the lock."""

    exit_code = ExitCode.BUSY


_PACKAGE = Path(__file__).parent


def unexpected(error: BaseException) -> str:
    """Return the name and place of a bug: ``OverflowError (geofence/fetch/http.py:293)``.

    The place is the innermost line of geofence's. The exception's own text is left out, since it
    may hold secrets, such as a token of a URL.
    """
    place = ""
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE):
            place = f" ({file.relative_to(_PACKAGE.parent)}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"
