"""One netlink socket: numbered requests, their answers, dumps and acknowledgements.

It raises ``OSError`` for what the kernel refuses and ``MalformedError`` for an answer that is cut
short. Each user says by ``translating`` what these mean for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial

from geofence.lean import (
    AF_NETLINK,
    MSG_DONTWAIT,
    SO_SNDBUF,
    SOCK_CLOEXEC,
    SOCK_RAW,
    SOL_SOCKET,
    socket,
)
from geofence.netlink.messages import (
    SOL_NETLINK,
    Message,
    Request,
    answered,
    dumped,
    pack,
    unpack,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    _T = TypeVar("_T")

_DATAGRAM = 1 << 16
"""Bytes that are read at once; the kernel fills no more than 32 KiB of a dump."""
_AT_ONCE = 64
"""Requests under way: their acknowledgements all fit into a socket's receive buffer."""
_OVERHEAD = 64
"""Bytes that ``netlink_sendmsg`` keeps from the send buffer, doubled to be on the safe side."""

_CAP_ACK = 10
"""``NETLINK_CAP_ACK``: an error repeats the header of the message it is about, not all of it."""
_STRICT_CHECK = 12
"""``NETLINK_GET_STRICT_CHK``: the kernel itself filters what is listed."""
_SO_SNDBUFFORCE = 32


class NetlinkSocket(AbstractContextManager["NetlinkSocket"]):
    """A netlink socket of the current network namespace."""

    def __init__(self, protocol: int, groups: int = 0) -> None:
        """Open it; needs no privilege.

        Args:
            protocol: ``NETLINK_NETFILTER`` or ``NETLINK_ROUTE``.
            groups: whose notifications are to be received, as a bit mask.

        Raises:
            OSError: the kernel does not speak this protocol.
        """
        kind = SOCK_RAW | SOCK_CLOEXEC
        self._socket = socket(AF_NETLINK, kind, protocol)
        self._sequence = 0
        with suppress(OSError):  # kernels before 4.3 repeat whole messages
            self._socket.setsockopt(SOL_NETLINK, _CAP_ACK, 1)
        if groups:
            try:
                self._socket.bind((0, groups))
            except OSError:
                self.close()
                raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the file descriptor, to wait for it."""
        return self._socket.fileno()

    def filter_in_kernel(self) -> None:
        """Let the kernel leave out of a listing what was not asked for.

        Kernels before 4.20 cannot, and list everything.
        """
        with suppress(OSError):
            self._socket.setsockopt(SOL_NETLINK, _STRICT_CHECK, 1)

    def ask(self, request: Request) -> Message:
        """Send one request and return the first message that answers it.

        Raises:
            OSError: the kernel refused.
            MalformedError: the answer is cut short.
        """
        self.send(self.packed(request))
        return answered(self.receive, self._sequence)

    def dump(self, request: Request) -> Iterator[Message]:
        """Send a request for a listing and return the messages that answer it.

        Raises:
            OSError: the kernel refused. ``InterruptedError`` comes after the last message: what was
                listed changed meanwhile, and some may be missing.
            MalformedError: a message is cut short.
        """
        self.send(self.packed(request))
        return dumped(self.receive, self._sequence)

    def exchange(self, requests: Sequence[Request]) -> list[Message]:
        """Send requests, many at a time, and return the answer to each, errors too.

        Raises:
            OSError: the kernel cannot be reached.
            MalformedError: a message is cut short.
        """
        return [message for part in batched(requests) for message in self._exchanged(part)]

    def _exchanged(self, requests: Sequence[Request]) -> list[Message]:
        first = self._sequence + 1
        self.send(b"".join(map(self.packed, requests)))
        answers: dict[int, Message] = {}
        while len(answers) < len(requests):
            for message in unpack(self.receive()):
                if first <= message[2] <= self._sequence:
                    answers.setdefault(message[2], message)
        return [answers[first + at] for at in range(len(requests))]

    def packed(self, request: Request) -> bytes:
        """Return a request as bytes under the next sequence number."""
        self._sequence += 1
        return pack(request.kind, request.flags, self._sequence, request.body)

    @property
    def last_sequence(self) -> int:
        """The sequence number of the request that was packed last."""
        return self._sequence

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        self._socket.send(data)

    def receive(self) -> bytes:
        """Wait for one datagram and return it."""
        return self._socket.recv(_DATAGRAM)

    def pending(self) -> Iterator[bytes]:
        """Yield the datagrams that are there already."""
        with suppress(BlockingIOError):
            yield from iter(partial(self._socket.recv, _DATAGRAM, MSG_DONTWAIT), b"")

    def make_room_for(self, size: int) -> bool:
        """Make room to send that many bytes at once, and return whether there is.

        A netlink socket sends no datagram larger than its send buffer. Root of the host is given
        any buffer; root of a user namespace no more than ``net.core.wmem_max`` (socket(7)).
        """
        wanted = size + _OVERHEAD
        try:
            self._socket.setsockopt(SOL_SOCKET, _SO_SNDBUFFORCE, wanted)
        except PermissionError:
            self._socket.setsockopt(SOL_SOCKET, SO_SNDBUF, wanted)
        return self.room >= size

    @property
    def room(self) -> int:
        """The largest datagram in bytes that can be sent now."""
        return self._socket.getsockopt(SOL_SOCKET, SO_SNDBUF) - _OVERHEAD


def batched(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield items in groups of as many requests as may be under way at once."""
    return (items[at : at + _AT_ONCE] for at in range(0, len(items), _AT_ONCE))


@contextmanager
def translating(translate: Callable[[OSError | ValueError], Exception]) -> Iterator[None]:
    """Raise refusals of the kernel, and answers that cannot be understood, as another error.

    Args:
        translate: gives the error; of a ``ValueError``, the answer could not be understood.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        raise translate(error) from error
