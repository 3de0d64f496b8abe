"""A connection to nf_tables: dumps, and transactions that the kernel takes whole or not at all.

pyroute2's nftables layer is not used (see docs/netlink.md): its batch is none, an element's
INTERVAL_END is lost, and it builds an object per attribute, which for a large set is most of the
time.

What the kernel does with a batch is ``nfnetlink_rcv_batch`` in ``net/netfilter/nfnetlink.c``.
"""

from __future__ import annotations

import errno
import os
import time
from _thread import start_new_thread  # threading takes longer to import than to close
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from geofence.backends.nftables import uapi
from geofence.backends.nftables.traces import TABLE
from geofence.errors import BackendError, BackendUnavailable
from geofence.lean import AF_UNSPEC
from geofence.model.frozen import NamedTuple
from geofence.netlink.attributes import MalformedError, as_number, number, padded, string, values
from geofence.netlink.messages import (
    ACK,
    DUMP,
    ERROR,
    HEADER,
    NETFILTER,
    NETLINK_NETFILTER,
    REQUEST,
    Request,
    error_number,
    unpack,
)
from geofence.netlink.socket import NetlinkSocket
from geofence.translation import tr

_HEADERS = HEADER.size + NETFILTER.size
_OFTEN = 40
"""Attempts at least, however long they take."""
_LONG = 20.0
"""Seconds for which to go on at least. Where others wait for a processor, too, an attempt takes
longer than they pause between two changes, and many are needed until one comes through."""
_PAUSE = 0.002
"""Seconds before the second attempt; each further one waits that much longer."""


class BatchMessage(NamedTuple):
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

    @property
    def labels(self) -> bool:
        """Whether it makes a rule that asks for labels of connections, or sets one."""
        from geofence.backends.nftables.uapi_names import CtKey

        asked = number(uapi.Ct.KEY, CtKey.LABELS)
        return self.kind == uapi.Message.NEWRULE and asked in self.body


class Changed(Exception):  # noqa: N818 - what is the case, caught and tried again
    """Another program changed nftables meanwhile; nothing was done, look again."""


class NoLabels(BackendUnavailable):
    """The kernel refused a rule that sets or reads a label: it has none (``nft_ct``)."""


class Refused(Exception):  # noqa: N818 - what is the case, translated by the caller
    """The kernel answered a request for one object with an error."""

    def __init__(self, number: int) -> None:
        self.errno = number
        super().__init__(os.strerror(number))


class Attempts:
    """How often and how long something was tried that others spoil by changing nftables."""

    def __init__(self) -> None:
        self.failed = 0
        self._until = time.monotonic() + _LONG

    def wait(self) -> bool:
        """Wait before another attempt; false if there have been enough."""
        self.failed += 1
        if self.failed >= _OFTEN and time.monotonic() >= self._until:
            return False
        time.sleep(min(self.failed, _OFTEN) * _PAUSE)
        return True


class NftConnection(AbstractContextManager["NftConnection"]):
    """A connection to nf_tables of the current network namespace."""

    def __init__(self) -> None:
        """Open it; needs no privilege.

        Raises:
            BackendUnavailable: the kernel has no nfnetlink.
        """
        try:
            self._netlink = NetlinkSocket(NETLINK_NETFILTER)
        except OSError as error:
            raise BackendUnavailable(no_support()) from error

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._netlink.close()

    def generation(self) -> int:
        """Return the number of the last transaction that anybody made here.

        Raises:
            BackendUnavailable: no privilege, or no nf_tables in the kernel.
        """
        try:
            found = values(self.get(uapi.Message.GETGEN, b""))
        except Refused as error:
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                raise BackendUnavailable(no_support()) from error
            raise BackendError(
                tr("nf_tables does not tell its generation: {reason}.", reason=error)
            ) from error
        return as_number(found.get(uapi.GEN_ID))

    def get(self, kind: int, body: bytes) -> bytes:
        """Ask for one object and return its attributes.

        Raises:
            Refused: there is none, or the kernel does not know the question.
            BackendUnavailable: no privilege.
        """
        try:
            _, _, _, answer = self._netlink.ask(_request(kind, 0, body))
        except OSError as error:
            raise _refused(error.errno or 0) from error
        return answer[NETFILTER.size :]

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Ask for all objects of a kind and return the attributes of each.

        Raises:
            Changed: they changed while the kernel was listing them.
            Refused: the kernel does not know the question, or what it is about is gone.
            BackendUnavailable: no privilege.
        """
        try:
            answers = list(self._netlink.dump(_request(kind, DUMP, body)))
        except InterruptedError as error:
            raise Changed from error
        except OSError as error:
            raise _refused(error.errno or 0) from error
        return [answer[NETFILTER.size :] for _, _, _, answer in answers]

    def has_table(self) -> bool:
        """Whether geofence's table exists.

        Raises:
            BackendUnavailable: no privilege, or no nf_tables in the kernel.
        """
        self.generation()  # tells what is missing where it is not just the table
        try:
            self.get(uapi.Message.GETTABLE, string(uapi.TableAttribute.NAME, TABLE))
        except Refused:
            return False
        return True

    def room_for(self, messages: Sequence[BatchMessage]) -> bool:
        """Make room to send a transaction, which has to come in one piece; whether there is."""
        return self._netlink.make_room_for(batch_size(messages))

    def transact(self, messages: Sequence[BatchMessage], generation: int | None = None) -> None:
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
        self.room_for(messages)
        first = self._netlink.last_sequence + 2
        self._send(b"".join(map(self._netlink.packed, _batch(messages, generation))))
        # The kernel works on a batch while it is being sent: all answers are there by now.
        # Each is in the name of the message it is about; if of all, in that of the batch's begin.
        codes = [(sequence - first, code) for sequence, code in self._acknowledgements()]
        for about, code in codes:
            if code:
                raise refusal(code, about, messages)
        if not codes:
            raise BackendError(tr("nf_tables did not confirm the transaction. Run it again."))

    def _send(self, data: bytes) -> None:
        try:
            self._netlink.send(data)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise BackendError(
                    tr(
                        "This user namespace lets a socket send {room} bytes at once, and a "
                        "transaction with nf_tables takes {size}. Raise net.core.wmem_max, or run "
                        "geofence as root of the host.",
                        room=f"{self._netlink.room:,}",
                        size=f"{len(data):,}",
                    )
                ) from error
            raise BackendError(
                tr("nf_tables cannot be reached: {reason}.", reason=error.strerror)
            ) from error

    def _acknowledgements(self) -> Iterator[tuple[int, int]]:
        """Yield sequence and error numbers of the answers that are there already."""
        try:
            for data in self._netlink.pending():
                for kind, _, sequence, body in unpack(data):
                    if kind == ERROR:
                        yield sequence, error_number(kind, body)
        except OSError as error:
            raise BackendError(
                tr("The answer of nf_tables was lost: {reason}. Run it again.", reason=error)
            ) from error


def _batch(messages: Sequence[BatchMessage], generation: int | None) -> Iterator[Request]:
    about = b"" if generation is None else number(uapi.BATCH_GENID, generation)
    yield _batch_edge(uapi.BATCH_BEGIN, about)
    for message in messages[:-1]:
        yield _request(message.kind, message.flags, message.body)
    # Asked of the last message: older kernels confirm neither end of a batch.
    last = messages[-1]
    yield _request(last.kind, last.flags | ACK, last.body)
    yield _batch_edge(uapi.BATCH_END, b"")


def _request(kind: int, flags: int, body: bytes) -> Request:
    head = NETFILTER.pack(uapi.INET, 0, 0)
    return Request(uapi.SUBSYSTEM << 8 | kind, flags | REQUEST, head + body)


def _batch_edge(kind: int, body: bytes) -> Request:
    return Request(kind, REQUEST, NETFILTER.pack(AF_UNSPEC, 0, uapi.SUBSYSTEM) + body)


@contextmanager
def connected(*, deleting: bool = False) -> Iterator[NftConnection]:
    """Open a connection to nf_tables, for as long as its answers are being read.

    Args:
        deleting: whether objects will be deleted. Then ``close`` blocks about 10 ms for an RCU
            grace period (``nf_tables_rcv_nl_event``), so it runs in a thread.

    Raises:
        BackendUnavailable: the kernel has no nfnetlink.
        BackendError: what the kernel answered is cut short.
    """
    connection = NftConnection()
    try:
        yield connection
    except MalformedError as error:
        raise BackendError(
            tr("The answer of nf_tables makes no sense: {reason}.", reason=error)
        ) from error
    finally:
        if not deleting or not _closes_beside(connection):
            connection.close()


def _closes_beside(connection: NftConnection) -> bool:
    """Close a connection in a thread, and return whether there was room for one."""
    try:
        start_new_thread(connection.close, ())
    except RuntimeError:
        return False
    return True


def batch_size(messages: Sequence[BatchMessage]) -> int:
    """Return the bytes of a transaction with its begin and end."""
    return 2 * _HEADERS + 8 + sum(message.size for message in messages)


def no_privilege() -> str:
    """Return what to do where the privilege to use nf_tables is missing."""
    return tr(
        "nf_tables may only be read and changed with CAP_NET_ADMIN over this network namespace. "
        "Run geofence as root."
    )


def no_support() -> str:
    """Return what to do where the kernel lacks nf_tables."""
    return tr(
        "This kernel has no nf_tables. Load it with 'modprobe nf_tables', or install a kernel that "
        "has it."
    )


def _refused(code: int) -> Refused | BackendUnavailable:
    return BackendUnavailable(no_privilege()) if code == errno.EPERM else Refused(code)


def refusal(code: int, about: int, messages: Sequence[BatchMessage]) -> Exception:
    """Return what it means that a transaction was refused.

    Args:
        code: the kernel's error number.
        about: which message it is about; not among them if it is about all.
        messages: those of the transaction.
    """
    if code == errno.ERESTART:
        return Changed()
    among = 0 <= about < len(messages)
    if among and code == errno.EOPNOTSUPP and messages[about].labels:
        return NoLabels(no_support())
    if code == errno.EPERM and not among:
        return BackendUnavailable(no_privilege())
    reason = os.strerror(code)
    if among:
        text = tr(
            'nf_tables refused "{part}": {reason}. The kernel is unchanged.',
            part=messages[about].about,
            reason=reason,
        )
    else:
        text = tr(
            "nf_tables refused the transaction: {reason}. The kernel is unchanged.", reason=reason
        )
    if code in (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
        lacking = tr(
            "The kernel may lack a module (nft_ct, nft_fib_inet, nf_conntrack) or conntrack labels "
            "(CONFIG_NF_CONNTRACK_LABELS)."
        )
        return BackendUnavailable(tr("{first} {second}", first=text, second=lacking))
    return BackendError(text)
