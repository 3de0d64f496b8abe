"""Why answers for all of a range of ports, in as many parts as are decided differently."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geofence.explain import parts
from geofence.merge import merge
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy, Ports, Protocol, Service
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.verdict import Decision, Packet, decide
from tests.cli.machine import Machine

HIGHEST = 60
"""Of the ports in generated cases: few enough to look at each, and ranges meet often."""
SOURCE = 0x2D090101
JAPAN = ListId(ListKind.COUNTRY, "JP")
SPACE = AddressSpace.of([Prefix(Family.IPV4, 0x2D000000, 8)])


def ranges() -> st.SearchStrategy[Ports]:
    ends = st.tuples(st.integers(1, HIGHEST), st.integers(1, HIGHEST))
    return st.builds(
        lambda protocol, both: Ports(protocol, min(both), max(both)),
        st.sampled_from(Protocol),
        ends,
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Services of some ranges that do not overlap; half of them let Japan in."""
    free: list[Ports] = []
    for ports in draw(st.lists(ranges(), max_size=8)):
        if not any(ports.overlaps(other) for other in free):
            free.append(ports)
    names = [draw(st.sampled_from(["a", "b", "c"])) for _ in free]
    return Policy(
        services=tuple(
            Service(
                name,
                tuple(ports for ports, own in zip(free, names, strict=True) if own == name),
                ("JP",) if name == "a" else (),
            )
            for name in sorted(set(names))
        )
    )


@given(st.lists(ranges(), max_size=3), policies())
def test_the_parts_are_the_whole_and_each_is_decided_alike(
    asked: list[Ports], policy: Policy
) -> None:
    ruleset = merge(policy, {JAPAN: SPACE})

    def decided(protocol: Protocol, port: int) -> Decision:
        return decide(ruleset, Packet(Family.IPV4, protocol, SOURCE, port))

    found = parts(asked, policy.services)

    def each_port(ranges: list[Ports] | tuple[Ports, ...]) -> list[tuple[Protocol, int]]:
        return [(one.protocol, port) for one in ranges for port in range(one.first, one.last + 1)]

    assert each_port(found) == each_port(asked)
    for part in found:
        decisions = [decided(*port) for port in each_port((part,))]
        assert decisions.count(decisions[0]) == len(decisions)


def test_one_port_is_one_part() -> None:
    sip = Service("sip", (Ports(Protocol.UDP, 5060, 5060), Ports(Protocol.TCP, 5060, 5061)))
    for ports in (Ports(Protocol.UDP, 5060, 5060), Ports(Protocol.TCP, 5061, 5061)):
        assert parts([ports], [sip]) == (ports,)


def test_a_range_is_answered_for_part_by_part(settled: Machine) -> None:
    def told(ports: str) -> list[tuple[str, str | None, str]]:
        answer = settled.ok("why", "8.8.8.8", "--port", ports, "--json").json
        return [(one["ports"], one["service"], one["verdict"]) for one in answer["verdicts"]]

    assert told("10000-30000/udp") == [
        ("10000-20000/udp", "rtp", "drop"),
        ("20001-30000/udp", None, "pass"),
    ]
    assert told("5000-31000/udp") == [
        ("5000-5059/udp", None, "pass"),
        ("5060/udp", "sip", "drop"),
        ("5061-9999/udp", None, "pass"),
        ("10000-20000/udp", "rtp", "drop"),
        ("20001-31000/udp", None, "pass"),
    ]
    assert told("12000-13000/udp") == [("12000-13000/udp", "rtp", "drop")]
    assert told("5000-31000/tcp") == [
        ("5000-5059/tcp", None, "pass"),
        ("5060-5061/tcp", "sip", "drop"),
        ("5062-31000/tcp", None, "pass"),
    ]
