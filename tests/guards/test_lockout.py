from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.guards.lockout import SshSession, check_lockout, networks
from geofence.guards.objection import Guard
from geofence.model.prefixes import Family
from geofence.model.ruleset import Ruleset
from tests.flows.made import RTP, SIP, SSH, flow, ruleset, space

HOME = "20.0.0.1"
FENCED_SSH = (SIP, RTP, SSH)


def session(text: str) -> SshSession:
    parsed = SshSession.parse(text)
    assert parsed is not None
    return parsed


def tokens(
    before: Ruleset | None, after: Ruleset, ssh: SshSession | None, sources: int = 0, kept: int = 0
) -> list[str]:
    flows = [flow(f"20.0.{number}.1") for number in range(sources)]
    flows += [flow(f"133.0.{number}.1") for number in range(kept)]
    return [one.accept for one in check_lockout(before, after, ssh, flows)]


@given(st.ip_addresses(), st.integers(1, 65535), st.ip_addresses(), st.integers(1, 65535))
def test_a_session_is_read_from_ssh_connection(
    client: object, client_port: int, server: object, port: int
) -> None:
    parsed = session(f"{client} {client_port} {server} {port}")
    address = ip_address(str(client))
    mapped = getattr(address, "ipv4_mapped", None) or address
    assert (parsed.source, parsed.port) == (int(mapped), port)
    assert parsed.family is (Family.IPV4 if mapped.version == 4 else Family.IPV6)


@pytest.mark.parametrize(
    "text", ["", "UNKNOWN 65535 UNKNOWN 65535", "20.0.0.1", "20.0.0.1 1 2", "20.0.0.1 1 20.0.0.2 x"]
)
def test_an_ssh_connection_without_addresses_is_ignored(text: str) -> None:
    assert SshSession.parse(text) is None


def test_link_local_and_mapped_addresses_are_understood() -> None:
    assert session("fe80::1%eth0 1 fe80::2%eth0 22").source == 0xFE80 << 112 | 1
    assert session("::ffff:20.0.0.1 1 ::ffff:20.0.0.2 22").family is Family.IPV4


def test_a_plan_that_denies_this_session_is_refused() -> None:
    ssh = session(f"{HOME} 50000 198.51.100.10 22")
    after = ruleset(("133.0.0.0/8",), services=FENCED_SSH)
    (refused,) = check_lockout(None, after, ssh, ())
    assert (refused.guard, refused.accept) == (Guard.SSH, "ssh")
    assert HOME in refused.saw


@pytest.mark.parametrize(
    "after",
    [
        ruleset(("133.0.0.0/8",)),
        ruleset(("20.0.0.0/8",), services=FENCED_SSH),
        ruleset(excepted=("20.0.0.1/32",), services=FENCED_SSH),
    ],
    ids=["port not fenced", "allowed", "exception"],
)
def test_a_session_that_stays_allowed_does_not_object(after: Ruleset) -> None:
    assert tokens(None, after, session(f"{HOME} 50000 198.51.100.10 22")) == []


def test_the_port_counts_that_the_session_uses() -> None:
    fenced = ruleset(services=(SIP,))
    assert tokens(None, fenced, session(f"{HOME} 50000 198.51.100.10 5061")) == ["ssh"]
    assert tokens(None, fenced, session(f"{HOME} 50000 198.51.100.10 5062")) == []


def test_sources_blocked_before_do_not_count() -> None:
    fence = ruleset(services=FENCED_SSH)
    assert tokens(fence, fence, session(f"{HOME} 50000 198.51.100.10 22")) == []
    assert tokens(fence, fence, None, sources=9) == []


@pytest.mark.parametrize(
    ("denied", "kept", "refused"),
    [(2, 0, False), (3, 0, True), (3, 2, True), (3, 3, False), (50, 51, False), (51, 50, True)],
)
def test_a_plan_that_blocks_most_current_networks_is_refused(
    denied: int, kept: int, *, refused: bool
) -> None:
    said = tokens(None, ruleset(("133.0.0.0/8",)), None, denied, kept)
    assert said == (["live-sources"] if refused else [])


def test_the_refusal_names_some_of_them() -> None:
    flows = [flow(f"20.0.{number}.1") for number in range(8)]
    (refused,) = check_lockout(None, ruleset(), None, flows)
    assert refused.guard == Guard.LIVE_SOURCES
    assert "(8 of 8 networks): 20.0.0.1 (sip 1)" in str(refused)
    assert "and 3 more" in str(refused)


def test_scans_and_flows_of_this_host_do_not_count() -> None:
    flows = [flow(f"20.0.1.{number}", assured=False) for number in range(9)]
    flows += [flow(f"20.0.2.{number}", inbound=False) for number in range(9)]
    assert check_lockout(None, ruleset(), None, flows) == ()


@pytest.mark.parametrize("addresses", ["20.0.1.{}", "2a00:1:2:3::{}", "2a00:1:2:{}::1"])
def test_many_addresses_of_one_network_count_once(addresses: str) -> None:
    flows = [flow(addresses.format(number)) for number in range(1, 13)]
    flows += [flow(f"133.0.{number}.1") for number in range(3)]
    assert check_lockout(None, ruleset(("133.0.0.0/8",)), None, flows) == ()


def test_sources_on_a_blocklist_do_not_count() -> None:
    flows = [flow(f"20.0.{number}.1") for number in range(8)]
    assert check_lockout(None, ruleset(), None, flows, space("20.0.0.0/16")) == ()
    assert len(check_lockout(None, ruleset(), None, flows, space("20.0.0.0/22"))) == 1


def test_with_the_fence_down_a_session_that_it_would_deny_counts() -> None:
    ssh = session(f"{HOME} 50000 198.51.100.10 22")
    fence = ruleset(services=FENCED_SSH)
    assert check_lockout(fence, replace(fence, interfaces=()), ssh, ()) == ()
    for family, refused in ((Family.IPV4, 1), (Family.IPV6, 0)):
        said = check_lockout(fence, replace(fence, interfaces=()), ssh, (), unfenced=[family])
        assert len(said) == refused


def test_a_party_has_a_network() -> None:
    found = networks([flow("20.0.1.7"), flow("20.0.1.9"), flow("2a00:1:2:3::9")])
    assert found == space("20.0.1.0/24", "2a00:1:2::/48")
