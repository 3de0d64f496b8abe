"""The socket, against a real kernel: every namespace has a loopback interface to ask for."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest

from geofence.lab.host import Host
from geofence.model.prefixes import Family
from geofence.netlink.messages import (
    ACK,
    NETLINK_NETFILTER,
    NETLINK_ROUTE,
    REQUEST,
    Request,
    error_number,
)
from geofence.netlink.socket import NetlinkSocket, batched, translating
from geofence.routing.route_messages import LINKS, parse_link, unicast_request

NO_SUCH_LINK = Request(18, REQUEST, b"\0\0\0\0" + (999).to_bytes(4, "little") + bytes(8))


@pytest.fixture
def channel() -> Iterator[NetlinkSocket]:
    with Host("alone") as host, host.entered(), NetlinkSocket(NETLINK_ROUTE) as made:
        yield made


def test_a_dump_lists_every_object(channel: NetlinkSocket) -> None:
    found = [parse_link(kind, body) for kind, _, _, body in channel.dump(LINKS)]
    assert "lo" in [link.name for link in found if link]


def test_dumps_follow_one_another_on_one_socket(channel: NetlinkSocket) -> None:
    channel.filter_in_kernel()
    for _ in range(3):
        assert list(channel.dump(LINKS))
        for family in Family:
            list(channel.dump(unicast_request(family)))


def test_a_refusal_is_an_oserror(channel: NetlinkSocket) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.ENODEV)):
        channel.ask(NO_SUCH_LINK)


def test_each_of_many_requests_gets_its_own_answer(channel: NetlinkSocket) -> None:
    loopback = Request(18, REQUEST, b"\0\0\0\0" + (1).to_bytes(4, "little") + bytes(8))
    asked = [loopback if number % 3 else NO_SUCH_LINK for number in range(200)]
    answers = channel.exchange(asked)
    codes = [error_number(kind, body) if kind == 2 else 0 for kind, _, _, body in answers]
    assert codes == [0 if number % 3 else errno.ENODEV for number in range(200)]
    assert channel.exchange([]) == []
    assert list(channel.pending()) == []


def test_answers_to_earlier_requests_are_passed_over(channel: NetlinkSocket) -> None:
    channel.send(channel.packed(NO_SUCH_LINK._replace(flags=REQUEST | ACK)))
    assert list(channel.dump(LINKS))


def test_the_send_buffer_grows_on_request(channel: NetlinkSocket) -> None:
    assert channel.make_room_for(1 << 20)
    assert channel.room >= 1 << 20


def test_batches_hold_everything_in_order() -> None:
    items = list(range(1000))
    assert [item for part in batched(items) for item in part] == items
    assert max(map(len, batched(items))) <= 64


def test_refusals_and_nonsense_are_translated() -> None:
    for error in (PermissionError(errno.EPERM, "no"), ValueError("cut short")):
        with (
            pytest.raises(LookupError, match=str(error.args[-1])),
            translating(lambda found: LookupError(str(found))),
        ):
            raise error


def test_a_protocol_that_the_kernel_does_not_speak_is_an_oserror() -> None:
    with pytest.raises(OSError, match="rotocol"), NetlinkSocket(31):
        pass
    with NetlinkSocket(NETLINK_NETFILTER) as open_one:
        assert open_one.fileno() >= 0
