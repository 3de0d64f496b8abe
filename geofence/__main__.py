"""``python -m geofence`` and the ``geofence`` command.

What the system refuses to any program, memory or a place for its output, ends here in one sentence,
and so does an interrupt from the keyboard.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_NO_MEMORY = (
    "there is not enough memory; the fence stands as it was, or as it was meant. "
    "Free some, or raise the limit, and run it again"
)
_NO_OUTPUT = (
    "what there is to say could not be written ({why}); the fence stands as it was, or as it was "
    "meant. Free some space where the output goes; 'geofence status' tells how the fence is"
)
_INTERRUPTED = "interrupted; the fence stands as it was, or as it was meant"
_EXIT_INTERRUPTED = 128 + signal.SIGINT
"""As a shell tells it."""


class _Unbuffered(io.FileIO):
    """Output under PYTHONUNBUFFERED, which knows whether a write failed.

    A buffer keeps what could not be written, so that flushing it fails again. Without one, only
    the write itself tells.
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
    """Somebody pressed Ctrl-C; not a KeyboardInterrupt, which libraries would take for theirs."""


def main() -> None:
    """Run the command line."""
    _fill_closed_streams()
    _notice_failing_writes()
    _escape_what_cannot_be_encoded()
    try:
        _hear_interrupts()
        from geofence.translation import activate

        activate(sys.argv, os.environ, sys.stdout)
        from geofence.cli.app import main as run

        try:
            run()
        finally:
            sys.stdout.flush()
    except MemoryError:
        _end(_NO_MEMORY)
    except ImportError as error:
        if not _is_want_of_memory(error):
            raise
        _end(_NO_MEMORY)
    except _Interrupted:
        _end(_INTERRUPTED, _EXIT_INTERRUPTED)
    except BrokenPipeError:
        _end("")
    except OSError as error:
        if not _output_is_broken():
            raise
        _end(_NO_OUTPUT.format(why=error.strerror))


def _hear_interrupts() -> None:
    """Take Ctrl-C, unless whoever started us wants it ignored, as nohup does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise _Interrupted

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)


def _fill_closed_streams() -> None:
    """Let nothing that is opened later be taken for standard output, as after ``>&-``."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    # Python has None for a stream that was closed, whatever its type says.
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _notice_failing_writes() -> None:
    """Put our own output in the place of Python's where that has no buffer."""
    sys.stdout, sys.stderr = _noticing(sys.stdout), _noticing(sys.stderr)


def _noticing(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(stream.buffer, io.RawIOBase):
        return stream
    raw = _Unbuffered(stream.fileno(), "w", closefd=False)
    # As Python makes it: typeshed wants a buffer, io.TextIOWrapper takes any binary stream.
    return io.TextIOWrapper(
        cast("BinaryIO", raw), stream.encoding, stream.errors, write_through=True
    )


def _escape_what_cannot_be_encoded() -> None:
    """Let no character of a message stop it, where the locale or PYTHONIOENCODING has not all."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_want_of_memory(error: ImportError) -> bool:
    """A library that cannot be mapped: glibc says it in words only (``ld.so``, dl-load.c)."""
    return "failed to map segment" in str(error) or "cannot allocate memory" in str(error).lower()


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
    """Say why if that can be said, and end with that code; without a reason, with 0."""
    with suppress(OSError):
        sys.stderr.write(f"geofence: {why}.\n" if why else "")
        sys.stderr.flush()
    for stream in (sys.stdout, sys.stderr):  # what is still buffered has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code if why else 0)


if __name__ == "__main__":
    main()
