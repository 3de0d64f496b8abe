"""Who is at the other end of a connection within this host."""

from __future__ import annotations

import os
import socket

import pytest

from geofence.host.peer import user_of


def connected(family: socket.AddressFamily, to: str, user: int) -> int | None:
    """Connect as a user, and return who that was, as the other end finds out."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        os.seteuid(user)
        try:
            client = socket.socket(family)
        finally:
            os.seteuid(os.getuid())
        with client:
            client.connect((to, server.getsockname()[1]))
            link, theirs = server.accept()
            with link:
                return user_of(theirs, link.getsockname())


@pytest.mark.parametrize(
    ("family", "to"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")]
)
def test_the_user_is_found_whatever_family_the_socket_is_of(
    family: socket.AddressFamily, to: str
) -> None:
    assert connected(family, to, os.getuid()) == os.getuid()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_told_from_this_one() -> None:
    assert connected(socket.AF_INET, "127.0.0.1", 65534) == 65534


def test_a_connection_that_is_not_there_is_nobodys() -> None:
    assert user_of(("127.0.0.1", 1), ("127.0.0.1", 2)) is None
