"""Kills a process at one of its system calls (ptrace(2))."""

from __future__ import annotations

import ctypes
import os
import signal
from itertools import count

_SEIZE, _SYSCALL, _INTERRUPT, _CONTINUE = 0x4206, 24, 0x4207, 7
_EXIT_KILL, _TRACE_GOOD = 1 << 20, 1

_libc = ctypes.CDLL(None, use_errno=True)


def killed_at(process: int, number: int) -> int:
    """Let a process run, and kill it at so many stops at system calls; how many there were.

    It stops once before and once after each call of its first thread. It must be waiting for
    something that comes when this is called.

    Args:
        process: a child.
        number: at which stop; 0: let it end.
    """
    _ptrace(_SEIZE, process, _EXIT_KILL | _TRACE_GOOD)
    _ptrace(_INTERRUPT, process, 0)
    stopped = 0
    for _ in count():
        _, status = os.waitpid(process, 0)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            return stopped
        stop = os.WSTOPSIG(status)
        is_call = stop == signal.SIGTRAP | 0x80
        stopped += is_call
        if number and stopped >= number:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return stopped
        given = 0 if is_call or stop == signal.SIGTRAP else stop
        _ptrace(_SYSCALL, process, given)
    return stopped


def _ptrace(request: int, process: int, data: int) -> None:
    _libc.ptrace.restype = ctypes.c_long
    done = _libc.ptrace(request, process, ctypes.c_void_p(0), ctypes.c_void_p(data))
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
