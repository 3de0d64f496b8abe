from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from geofence.errors import ListError
from geofence.fetch.dns import MOST_ADDRESSES, Lookup, Resolution, resolve
from geofence.model.prefixes import AddressSpace
from tests.support.values import prefix

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
def test_a_family_without_addresses_is_empty(none: int) -> None:
    lookup = answering(ipv4=["192.0.2.1"], ipv6=none)
    assert resolve("push.example", 5, lookup) == Resolution(("192.0.2.1",), ())


def test_a_family_without_an_answer_is_unknown() -> None:
    lookup = answering(ipv4=["192.0.2.1"], ipv6=socket.EAI_AGAIN)
    assert resolve("push.example", 5, lookup) == Resolution(("192.0.2.1",), None)


@pytest.mark.parametrize(
    ("ipv4", "why"),
    [
        (socket.EAI_NONAME, "DNS has no address for push.example"),
        (socket.EAI_AGAIN, "The DNS lookup of push.example failed"),
        (socket.EAI_FAIL, "The DNS lookup of push.example failed"),
    ],
)
def test_no_address_at_all(ipv4: int, why: str) -> None:
    with pytest.raises(ListError, match=why):
        resolve("push.example", 5, answering(ipv4=ipv4, ipv6=socket.EAI_NONAME))


PRIVATE = ["10.1.2.3", "172.31.255.255", "192.168.7.7", "100.64.0.1", "fd00::1"]


def both(*addresses: str) -> Lookup:
    """A resolver that answers with these."""
    return answering(
        ipv4=[each for each in addresses if ":" not in each] or socket.EAI_NODATA,
        ipv6=[each for each in addresses if ":" in each] or socket.EAI_NODATA,
    )


def flat(resolution: Resolution) -> tuple[str, ...]:
    return (*(resolution.ipv4 or ()), *(resolution.ipv6 or ()))


@pytest.mark.parametrize("host", ["pbx", "pbx.lan", "pbx.office.local", "pbx.home.arpa"])
@pytest.mark.parametrize("address", PRIVATE)
def test_a_local_name_may_have_a_private_address(host: str, address: str) -> None:
    assert flat(resolve(host, 5, both(address))) == (address,)


@pytest.mark.parametrize("address", ["192.0.2.1", "64:ff9b::c000:201", "172.32.0.1", "2001:db8::1"])
def test_a_public_name_may_have_public_and_translated_addresses(address: str) -> None:
    assert flat(resolve("sip.provider.net", 5, both(address))) == (address,)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_public_name_has_a_private_address_only_if_the_rules_say_so(address: str) -> None:
    with pytest.raises(ListError, match=rf'a private address.*add within = \["{address}"\]'):
        resolve("sip.provider.net", 5, both("8.8.8.8", address))
    within = space("8.8.8.8/32", "fd00::/16", *PRIVATE_NETWORKS)
    assert address in flat(resolve("sip.provider.net", 5, both("8.8.8.8", address), within))


PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")


def space(*prefixes: str) -> AddressSpace:
    return AddressSpace.of(map(prefix, prefixes))


def test_an_address_outside_within_spoils_the_answer() -> None:
    within = space("192.0.2.0/24", "2001:db8::/32")
    inside = both("192.0.2.1", "192.0.2.255", "2001:db8::1")
    assert len(flat(resolve("sip.provider.net", 5, inside, within))) == 3
    for outside in ("192.0.3.0", "2001:db9::"):
        with pytest.raises(ListError, match=rf'gives {outside} for .*, which is outside "within"'):
            resolve("sip.provider.net", 5, both("192.0.2.1", outside), within)


def test_not_even_the_rules_make_a_loopback_address_of_a_distant_host() -> None:
    with pytest.raises(ListError, match="a loopback address"):
        resolve("sip.provider.net", 5, both("127.0.0.1"), space("127.0.0.0/8"))


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "taken"), [(64, 0, True), (32, 32, True), (40, 25, False)]
)
def test_a_name_has_no_more_addresses_than_a_pool(ipv4: int, ipv6: int, taken: bool) -> None:
    addresses = [f"192.0.2.{n}" for n in range(ipv4)] + [
        f"2001:db8::{n + 1:x}" for n in range(ipv6)
    ]
    if taken:
        assert len(flat(resolve("sip.provider.net", 5, both(*addresses)))) == MOST_ADDRESSES
    else:
        with pytest.raises(ListError, match=r"gives 65 addresses for .*at most 64"):
            resolve("sip.provider.net", 5, both(*addresses))


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
    with pytest.raises(
        ListError, match=f"gives {address} for push.example, which is an? {kind} address"
    ):
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
    with pytest.raises(ListError, match=r"for localhost, which is a loopback address"):
        resolve("localhost", 30)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "\udc80"])
def test_invalid_host_names_are_refused(host: str) -> None:
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
