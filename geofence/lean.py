"""Names of the standard library without what their modules import beside them.

``restore`` at boot needs a netlink socket, the time and paths, and has no use for ``selectors``,
calendars in Python, enumerations of signals and URLs, whose imports take as long as to fill the
kernel with a country. To type checkers, these are the names of the usual modules; at run time, they
are the same objects, from the modules in C. Only ``socket`` is another class: it has no ``with``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import UTC, datetime, timedelta
    from pathlib import Path
    from signal import SIG_IGN, SIGINT, SIGKILL, SIGPIPE, SIGXFSZ, getsignal
    from signal import signal as set_signal
    from socket import (
        AF_INET,
        AF_INET6,
        AF_NETLINK,
        AF_UNIX,
        AF_UNSPEC,
        IPPROTO_RAW,
        MSG_DONTWAIT,
        SO_SNDBUF,
        SOCK_CLOEXEC,
        SOCK_DGRAM,
        SOCK_RAW,
        SOL_SOCKET,
        inet_ntop,
        inet_pton,
        socket,
    )
else:
    from _datetime import UTC, datetime, timedelta
    from _signal import SIG_IGN, SIGINT, SIGKILL, SIGPIPE, SIGXFSZ, getsignal
    from _signal import signal as set_signal
    from _socket import (
        AF_INET,
        AF_INET6,
        AF_NETLINK,
        AF_UNIX,
        AF_UNSPEC,
        IPPROTO_RAW,
        MSG_DONTWAIT,
        SO_SNDBUF,
        SOCK_CLOEXEC,
        SOCK_DGRAM,
        SOCK_RAW,
        SOL_SOCKET,
        inet_ntop,
        inet_pton,
        socket,
    )

    def _path() -> type:
        """Return ``pathlib.Path``.

        Until Python 3.13, its module imports ``urllib.parse``, and that ``ipaddress``, for the one
        function that makes a URL of a path. Until somebody calls that, another one stands for it.
        """
        needed = "urllib.parse"
        if sys.version_info >= (3, 13) or not sys.modules.keys().isdisjoint((needed, "pathlib")):
            from pathlib import Path

            return Path

        def quote_from_bytes(*given: object, **named: object) -> str:
            from urllib.parse import quote_from_bytes as quote

            return quote(*given, **named)

        standing_in = type(sys)(needed)
        standing_in.quote_from_bytes = quote_from_bytes
        sys.modules[needed] = standing_in
        try:
            from pathlib import Path
        finally:
            del sys.modules[needed]
        return Path

    Path = _path()

__all__ = [
    "AF_INET",
    "AF_INET6",
    "AF_NETLINK",
    "AF_UNIX",
    "AF_UNSPEC",
    "IPPROTO_RAW",
    "MSG_DONTWAIT",
    "SIGINT",
    "SIGKILL",
    "SIGPIPE",
    "SIGXFSZ",
    "SIG_IGN",
    "SOCK_CLOEXEC",
    "SOCK_DGRAM",
    "SOCK_RAW",
    "SOL_SOCKET",
    "SO_SNDBUF",
    "UTC",
    "Path",
    "datetime",
    "getsignal",
    "inet_ntop",
    "inet_pton",
    "set_signal",
    "socket",
    "timedelta",
]
