"""``python -m geofence`` and the ``geofence`` command.

Lack of memory, output that cannot be written, and an interrupt from the keyboard end here, each in
a message.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from contextlib import suppress
from types import FrameType

gc.disable()  # modules hold what they make; ``_run`` enables it for what comes after them

from geofence.cli.plain import Plain, plainly, run_plainly  # noqa: E402
from geofence.lean import SIG_IGN, SIGINT, getsignal, set_signal  # noqa: E402
from geofence.translation import activate, tr  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, TextIO

    from _typeshed import ReadableBuffer

_EXIT_INTERRUPTED = 128 + SIGINT
"""As a shell reports it."""

_RESERVE_BYTES = 2 << 20
"""Address space held while a command runs, for the message that says that memory is lacking."""


class _Unbuffered(io.FileIO):
    """Output under PYTHONUNBUFFERED that knows whether a write failed.

    A buffer keeps what could not be written, so flushing it fails again. Without a buffer, only the
    write itself fails.
    """

    failed = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write as much as can be written."""
        try:
            return super().write(data)
        except OSError:
            self.failed = True
            raise


class _Interrupted(BaseException):
    """Ctrl-C; not a KeyboardInterrupt, which libraries catch for themselves."""


def main() -> None:
    """Run the command line."""
    _fill_closed_streams()
    _notice_failing_writes()
    _escape_what_cannot_be_encoded()
    reserve = b""
    try:
        reserve = bytes(_RESERVE_BYTES)  # mapped and never written to: takes no memory
        _run()
    except _Interrupted:
        _end(tr("interrupted. The fence is either unchanged or fully updated"), _EXIT_INTERRUPTED)
    except BrokenPipeError:
        _end("")
    except (ImportError, MemoryError, OSError, SyntaxError, SystemError) as error:
        lacking = _is_lack_of_memory(error)
        del reserve
        if lacking:
            _end_without_memory()
        if not isinstance(error, OSError) or not _output_is_broken():
            raise
        _end(
            tr(
                "cannot write output: {reason}. The fence is either unchanged or fully updated. "
                "Free some space where the output goes, then run 'geofence status'",
                reason=error.strerror,
            )
        )


def _run() -> None:
    _catch_interrupts()
    activate(sys.argv, os.environ, sys.stdout)
    wanted = plainly(sys.argv[1:], os.environ)
    try:
        if wanted is not None:
            _run_and_end(wanted)
        gc.enable()
        # Only now: help is translated while it is imported.
        from geofence.cli.app import main as run

        run()
    finally:
        sys.stdout.flush()


def _run_and_end(wanted: Plain) -> NoReturn:
    """Run it, and end at once: on Python's own way out, all memory is freed piece by piece."""
    code = 0
    try:
        run_plainly(wanted)
    except SystemExit as ended:
        code = int(ended.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_without_memory() -> NoReturn:
    """Say that memory is lacking, and end at once.

    Python's own way out takes memory. Without it, Python may lose the exception on that way, and
    print a traceback of its own instead.
    """
    _say(
        tr(
            "not enough memory. The fence is either unchanged or fully updated. Free some memory, "
            "or raise the limit, and run it again"
        )
    )
    os._exit(1)


def _catch_interrupts() -> None:
    """Take Ctrl-C, unless it is ignored, as under nohup."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise _Interrupted

    if getsignal(SIGINT) is not SIG_IGN:
        set_signal(SIGINT, interrupt)


def _fill_closed_streams() -> None:
    """Open closed standard streams, or the next open file becomes standard output (``>&-``)."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    # Python has None for a stream that was closed, whatever its type says.
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _notice_failing_writes() -> None:
    """Replace Python's output by ``_Unbuffered`` where it has no buffer."""
    sys.stdout, sys.stderr = _noticing(sys.stdout), _noticing(sys.stderr)


def _noticing(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(stream.buffer, io.RawIOBase):
        return stream
    # As Python makes it: typeshed wants a buffer, io.TextIOWrapper takes any binary stream.
    raw: Any = _Unbuffered(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(raw, stream.encoding, stream.errors, write_through=True)


def _escape_what_cannot_be_encoded() -> None:
    """Escape characters that the locale or PYTHONIOENCODING lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_lack_of_memory(error: Exception) -> bool:
    """Whether memory was lacking; call it while the reserve is held.

    Without memory, Python fails in other words too: a module that is missing, source code that is
    wrong, a function that failed without an exception. What the system's loader says has words of
    its own, as it may have needed more than is left.
    """
    if isinstance(error, MemoryError):
        return True
    try:
        bytes(_RESERVE_BYTES)
    except MemoryError:
        return True
    said = str(error).lower()
    signs = (
        "failed to map segment",
        "cannot allocate memory",
        "without setting an exception",
        "error return without exception set",
    )
    return any(sign in said for sign in signs)


def _output_is_broken() -> bool:
    if any(getattr(stream.buffer, "failed", False) for stream in (sys.stdout, sys.stderr)):
        return True
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return True
    return False


def _end(why: str, code: int = 1) -> None:
    """Print why, if possible, and exit with the code; without a reason, with 0."""
    _say(why)
    for stream in (sys.stdout, sys.stderr):  # discards what is still buffered
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code if why else 0)


def _say(why: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"geofence: {why}.\n" if why else "")
        sys.stderr.flush()


if __name__ == "__main__":
    main()
