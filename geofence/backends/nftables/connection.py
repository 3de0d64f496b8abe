"""One socket to nf_tables: dumps, and transactions that the kernel takes whole or not at all.

Neither pyroute2's nftables layer nor its netlink core is used. The layer is a prototype: its batch
is none, an element's INTERVAL_END is lost, and it builds an object per attribute, which for a large
set is most of the time. Importing the core takes longer than all that is done here, and of it one
socket would be needed.

What the kernel does with a batch is ``nfnetlink_rcv_batch`` in ``net/netfilter/nfnetlink.c``.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Thread
from typing import NamedTuple

from geofence.backends.nftables import uapi
from geofence.closing import Closing
from geofence.errors import BackendError, BackendUnavailable
from geofence.netlink.attributes import MalformedError, as_number, number, padded, string, values
from geofence.netlink.messages import (
    ACK,
    DUMP,
    ERROR,
    HEADER,
    NETFILTER,
    NETLINK_NETFILTER,
    REQUEST,
    SOL_NETLINK,
    Message,
    answered,
    dumped,
    error_number,
    pack,
    unpack,
)

TABLE = "geofence"
"""The one table that is geofence's, of family ``inet``."""

_CAP_ACK = 10
"""``NETLINK_CAP_ACK``: an error repeats the header of the message it is about, not all of it."""
_SO_SNDBUFFORCE = 32

_HEADERS = HEADER.size + NETFILTER.size
_RECEIVE = 1 << 16
"""Bytes; the kernel never sends more than 32 KiB of a dump at once."""
_OVERHEAD = 64
"""Bytes that ``netlink_sendmsg`` keeps from the send buffer, doubled to be on the safe side."""

NO_PRIVILEGE = (
    "nf_tables may only be read and changed with CAP_NET_ADMIN over this network namespace; "
    "run geofence as root."
)
NO_SUPPORT = (
    "This kernel has no nf_tables; load it ('modprobe nf_tables') or install a kernel that has it."
)


class Request(NamedTuple):
    """One message of a transaction."""

    kind: int
    """``NFT_MSG_…``."""
    flags: int
    """``CREATE``, ``APPEND`` or 0."""
    body: bytes
    """Its attributes."""
    about: str
    """What it does, for the operator who reads that the kernel refused it."""

    @property
    def size(self) -> int:
        """Bytes in the batch."""
        return _HEADERS + padded(len(self.body))


class Changed(Exception):  # noqa: N818 - what is the case, caught and tried again
    """Another program changed nftables meanwhile; nothing was done, look again."""


class Refused(Exception):  # noqa: N818 - what is the case, translated by the caller
    """The kernel answered a request for one object with an error."""

    def __init__(self, number: int) -> None:
        self.errno = number
        super().__init__(os.strerror(number))


class Netlink(Closing):
    """A socket to nf_tables of the current network namespace."""

    def __init__(self) -> None:
        """Open it; needs no privilege.

        Raises:
            BackendUnavailable: the kernel has no nfnetlink.
        """
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        except OSError as error:
            raise BackendUnavailable(NO_SUPPORT) from error
        self._socket.setsockopt(SOL_NETLINK, _CAP_ACK, 1)
        self._sequence = 0

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def generation(self) -> int:
        """The number of the last transaction that anybody made here.

        Raises:
            BackendUnavailable: no privilege, or no nf_tables in the kernel.
        """
        try:
            found = values(self.get(uapi.Message.GETGEN, b""))
        except Refused as error:
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                raise BackendUnavailable(NO_SUPPORT) from error
            raise BackendError(f"nf_tables does not tell its generation: {error}.") from error
        return as_number(found.get(uapi.GEN_ID))

    def get(self, kind: int, body: bytes) -> bytes:
        """Ask for one object; its attributes.

        Raises:
            Refused: there is none, or the kernel does not know the question.
            BackendUnavailable: no privilege.
        """
        self._send(self._pack(kind, 0, body))
        try:
            _, _, _, answer = answered(partial(self._receive, 0), self._sequence)
        except OSError as error:
            raise _refused(error.errno or 0) from error
        return answer[NETFILTER.size :]

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Ask for all objects of a kind; the attributes of each.

        Raises:
            Changed: they changed while the kernel was listing them.
            Refused: the kernel does not know the question, or what it is about is gone.
            BackendUnavailable: no privilege.
        """
        self._send(self._pack(kind, DUMP, body))
        try:
            answers = list(dumped(partial(self._receive, 0), self._sequence))
        except InterruptedError as error:
            raise Changed from error
        except OSError as error:
            raise _refused(error.errno or 0) from error
        return [answer[NETFILTER.size :] for _, _, _, answer in answers]

    def has_table(self) -> bool:
        """Whether there is geofence's table.

        Raises:
            BackendUnavailable: no privilege, or no nf_tables in the kernel.
        """
        self.generation()  # tells what is missing where it is not just the table
        try:
            self.get(uapi.Message.GETTABLE, string(uapi.Table.NAME, TABLE))
        except Refused:
            return False
        return True

    def room_for(self, octets: int) -> bool:
        """Make room to send that much at once; whether there is.

        A batch has to come in one piece, and a socket sends no piece larger than its send buffer.
        Whoever may configure the host's network is given any buffer; root of a user namespace no
        more than ``net.core.wmem_max`` (socket(7)).
        """
        wanted = octets + _OVERHEAD
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, wanted)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, wanted)
        return self.room() >= octets

    def room(self) -> int:
        """The largest batch in bytes that can be sent now."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - _OVERHEAD

    def transact(self, messages: Sequence[Request], generation: int | None = None) -> None:
        """Have all messages carried out, or none.

        Args:
            messages: in their order.
            generation: the transaction is for what this generation holds; None: for whatever
                there is.

        Raises:
            Changed: another generation has come meanwhile.
            BackendUnavailable: no privilege, or the kernel lacks something.
            BackendError: the kernel refused; the message says which message.
        """
        self.room_for(batch_size(messages))
        first = self._sequence + 2
        self._send(self._batch(messages, generation))
        # The kernel works on a batch while it is being sent: all answers are there by now.
        # Each is in the name of the message it is about; if of all, in that of the batch's begin.
        codes = [
            (sequence - first, error_number(kind, body))
            for kind, _, sequence, body in self._pending()
            if kind == ERROR
        ]
        for about, code in codes:
            if code:
                raise _refusal(code, about, messages)
        if not codes:
            raise BackendError("nf_tables did not confirm the transaction; run it again.")

    def _batch(self, messages: Sequence[Request], generation: int | None) -> bytes:
        about = b"" if generation is None else number(uapi.BATCH_GENID, generation)
        parts = [self._pack_batch_edge(uapi.BATCH_BEGIN, about)]
        parts += [self._pack(kind, flags, body) for kind, flags, body, _ in messages[:-1]]
        # Asked of the last message: older kernels confirm neither end of a batch.
        last = messages[-1]
        parts.append(self._pack(last.kind, last.flags | ACK, last.body))
        parts.append(self._pack_batch_edge(uapi.BATCH_END, b""))
        return b"".join(parts)

    def _pack(self, kind: int, flags: int, body: bytes) -> bytes:
        return self._pack_as(uapi.SUBSYSTEM << 8 | kind, flags, (uapi.INET, 0, 0), body)

    def _pack_batch_edge(self, kind: int, body: bytes) -> bytes:
        return self._pack_as(kind, 0, (socket.AF_UNSPEC, 0, uapi.SUBSYSTEM), body)

    def _pack_as(self, kind: int, flags: int, genmsg: tuple[int, int, int], body: bytes) -> bytes:
        self._sequence += 1
        return pack(kind, flags | REQUEST, self._sequence, NETFILTER.pack(*genmsg) + body)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise BackendError(
                    f"This user namespace lets a socket send {self.room():,} bytes at once, and a "
                    f"transaction with nf_tables takes {len(data):,}; raise net.core.wmem_max, or "
                    "run geofence as root of the host."
                ) from error
            raise BackendError(f"nf_tables cannot be reached: {error.strerror}.") from error

    def _pending(self) -> Iterator[Message]:
        """Answers that are there already."""
        while data := self._receive(socket.MSG_DONTWAIT):
            yield from unpack(data)

    def _receive(self, flags: int) -> bytes:
        """One datagram; none if there is to be no waiting, and none is there."""
        try:
            return self._socket.recv(_RECEIVE, flags)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise BackendError(
                f"The answer of nf_tables was lost: {error.strerror}; run it again."
            ) from error


@contextmanager
def connected(*, taking_away: bool = False) -> Iterator[Netlink]:
    """A socket to nf_tables, for as long as its answers are being read.

    Args:
        taking_away: whether something will be. Then the kernel keeps whoever closes the socket
            until all packets are done with that (``nf_tables_rcv_nl_event``), some ten milliseconds
            for which nobody else need wait.

    Raises:
        BackendUnavailable: the kernel has no nfnetlink.
        BackendError: what the kernel answered is cut short.
    """
    netlink = Netlink()
    try:
        yield netlink
    except MalformedError as error:
        raise BackendError(f"The answer of nf_tables makes no sense: {error}.") from error
    finally:
        if taking_away:
            Thread(target=netlink.close).start()
        else:
            netlink.close()


def batch_size(messages: Sequence[Request]) -> int:
    """Bytes of a transaction with its begin and end."""
    return 2 * _HEADERS + 8 + sum(message.size for message in messages)


def _refused(code: int) -> Refused | BackendUnavailable:
    return BackendUnavailable(NO_PRIVILEGE) if code == errno.EPERM else Refused(code)


def _refusal(code: int, about: int, messages: Sequence[Request]) -> Exception:
    """What a refused transaction means; ``about`` is not among the messages if all of it was."""
    if code == errno.ERESTART:
        return Changed()
    what = messages[about].about if 0 <= about < len(messages) else "the transaction"
    if code == errno.EPERM and not 0 <= about < len(messages):
        return BackendUnavailable(NO_PRIVILEGE)
    text = f"nf_tables refused {what}: {os.strerror(code)}; the kernel is as it was."
    if code in (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
        lacking = (
            "The kernel may lack a module (nft_ct, nft_fib_inet, nf_conntrack) or conntrack labels "
            "(CONFIG_NF_CONNTRACK_LABELS)."
        )
        return BackendUnavailable(f"{text} {lacking}")
    return BackendError(text)
