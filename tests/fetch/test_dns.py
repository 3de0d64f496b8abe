from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from geofence.errors import ListError
from geofence.fetch.dns import Lookup, Resolution, resolve

FAMILIES = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}


def answering(**answers: list[str] | int) -> Lookup:
    """A resolver's answer by family: addresses, or the number of its error."""

    def lookup(_host: str, family: int) -> list[tuple[Any, ...]]:
        answer = answers[FAMILIES[socket.AddressFamily(family)]]
        if isinstance(answer, int):
            raise socket.gaierror(answer, "as scripted")
        return [(family, socket.SOCK_STREAM, 6, "", (text, 0)) for text in answer]

    return lookup


def test_both_families_sorted_and_each_address_once() -> None:
    lookup = answering(ipv4=["198.51.100.9", "192.0.2.1", "192.0.2.1"], ipv6=["2001:db8::1"])
    expected = Resolution(("192.0.2.1", "198.51.100.9"), ("2001:db8::1",))
    assert resolve("push.example", 5, lookup) == expected


@pytest.mark.parametrize("none", [socket.EAI_NONAME, socket.EAI_NODATA])
def test_a_family_without_address_is_no_error(none: int) -> None:
    lookup = answering(ipv4=["192.0.2.1"], ipv6=none)
    assert resolve("push.example", 5, lookup) == Resolution(("192.0.2.1",), ())


def test_a_family_of_which_dns_cannot_tell_is_unknown() -> None:
    lookup = answering(ipv4=["192.0.2.1"], ipv6=socket.EAI_AGAIN)
    assert resolve("push.example", 5, lookup) == Resolution(("192.0.2.1",), None)


@pytest.mark.parametrize(
    ("ipv4", "why"),
    [
        (socket.EAI_NONAME, "DNS knows no address of push.example"),
        (socket.EAI_AGAIN, "could not tell the addresses of push.example"),
        (socket.EAI_FAIL, "could not tell the addresses of push.example"),
    ],
)
def test_no_address_at_all(ipv4: int, why: str) -> None:
    with pytest.raises(ListError, match=why):
        resolve("push.example", 5, answering(ipv4=ipv4, ipv6=socket.EAI_NONAME))


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "192.168.7.7", "100.64.0.1", "192.0.2.1", "fd00::1", "64:ff9b::c000:201"],
)
def test_private_and_translated_addresses_are_taken(address: str) -> None:
    lookup = answering(ipv4=[address], ipv6=[])
    assert resolve("pbx.example", 5, lookup).ipv4 == (address,)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("0.0.0.0", "unspecified"),  # noqa: S104 - nothing is bound
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("169.254.169.254", "link-local"),
        ("fe80::1%lo", "link-local"),
        ("255.255.255.255", "reserved"),
        ("::ffff:192.0.2.1", "reserved"),
    ],
)
def test_addresses_no_distant_host_can_have_spoil_the_answer(address: str, kind: str) -> None:
    lookup = answering(ipv4=["192.0.2.1", address], ipv6=[])
    with pytest.raises(ListError, match=f"push.example is {address}, an? {kind} address"):
        resolve("push.example", 5, lookup)


def test_a_resolver_that_hangs_is_left_behind() -> None:
    over = threading.Event()

    def lookup(_host: str, _family: int) -> list[tuple[Any, ...]]:
        over.wait()
        return []

    with pytest.raises(ListError, match=r"no answer for push\.example within 0\.2 seconds"):
        resolve("push.example", 0.2, lookup)
    over.set()


def test_the_system_knows_localhost_and_that_is_not_used() -> None:
    with pytest.raises(ListError, match=r"localhost is .*, a loopback address"):
        resolve("localhost", 30)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "\udc80"])
def test_what_cannot_be_a_name(host: str) -> None:
    with pytest.raises(ListError, match="cannot be looked up"):
        resolve(host, 30)


def test_the_system_is_asked(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.7 push.example\n2001:db8::7 push.example\n")
    program = "from geofence.fetch.dns import resolve; print(resolve('push.example', 30))"
    script = 'mount --bind "$1" /etc/hosts && exec "$2" -c "$3"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(hosts), sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(Resolution(("192.0.2.7",), ("2001:db8::7",))), done.stderr
