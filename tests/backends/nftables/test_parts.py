"""The sets over which noted sources are spread, in a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from threading import Thread, get_ident
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.apply import apply_ruleset, plan_for
from geofence.backends.nftables import connection, noting, set_names
from geofence.backends.nftables.backend import NftablesBackend
from geofence.backends.nftables.connection import NftConnection
from geofence.backends.nftables.kernel_sets import PARTS, PartKey, part_of, parts_of
from geofence.backends.nftables.noted import decode_noted, pieces_of_part
from geofence.errors import BackendError
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.model.ruleset import Ruleset
from geofence.model.sets import NOTED_ROLES, Role, SetKey
from tests.backends.test_runtime_sets import RULESET
from tests.support.noted import note

BACKEND = NftablesBackend()
ALONE = noting.NftablesNoting()
KEYS = {family: SetKey(Role.DENIED, "sip", family) for family in Family}
SOURCES = {
    Family.IPV4: [f"45.9.1.{last}" for last in range(16)],
    Family.IPV6: [f"2a00:1450:{group:x}::7" for group in range(16)],
}
UNDIVIDED = """
add set inet geofence {role}{digit}-sip {{
    type ip{v6}_addr; size 65536; flags dynamic,timeout; {counter} timeout 7d;
}}
add element inet geofence {role}{digit}-sip {{ {elements} }}
"""
"""A set of an older version."""


@pytest.fixture(autouse=True)
def pbx(lab: Lab) -> Iterator[Lab]:
    """The PBX of a lab with a fence, which the test is in."""
    with lab.pbx.entered():
        apply_ruleset(BACKEND, RULESET)
        yield lab
        BACKEND.remove()


def nft(lab: Lab, command: str) -> str:
    return lab.pbx.run("nft", "-f", "-", stdin=command)


def network(text: str) -> int:
    address = ip_address(text)
    return int(address) if address.version == 4 else int(address) >> 64 << 64


@pytest.mark.parametrize("family", Family)
def test_each_part_notes_the_sources_that_belong_to_it(pbx: Lab, family: Family) -> None:
    sources = SOURCES[family]
    pbx.fire([Probe(ip_address(each), PBX[family], Transport.UDP, 5060) for each in sources])

    noted = BACKEND.noted(KEYS[family])

    assert sorted(noted.networks) == sorted(map(network, sources))
    assert noted.parts == (2,) * PARTS
    for number, part in enumerate(noted.in_parts()):
        assert {part_of(family, each) for each in part.networks} == {number}
    assert all(BACKEND.test(KEYS[family], int(ip_address(each))) for each in sources)


@pytest.mark.parametrize("thread_starts", [False, True])
def test_what_the_second_thread_cannot_read_is_read_all_the_same(
    pbx: Lab, monkeypatch: pytest.MonkeyPatch, *, thread_starts: bool
) -> None:
    sources = SOURCES[Family.IPV4]
    pbx.fire([Probe(ip_address(s), PBX[Family.IPV4], Transport.UDP, 5060) for s in sources])
    whole = BACKEND.noted(KEYS[Family.IPV4])
    usual, own = set_names.pieces_of, get_ident()

    def pieces_of(netlink: NftConnection, name: str) -> list[bytes]:
        if get_ident() != own:
            raise BackendError("the other thread")
        return usual(netlink, name)

    def start(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(noting, "pieces_of", pieces_of)
    if not thread_starts:
        monkeypatch.setattr(Thread, "start", start)

    assert ALONE.noted(KEYS[Family.IPV4]).networks == whole.networks


def test_without_room_for_a_thread_the_fence_is_changed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(connection, "start_new_thread", start)

    apply_ruleset(BACKEND, Ruleset())

    assert plan_for(BACKEND, Ruleset()).is_empty


def test_two_threads_read_many_sources(pbx: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {f"46.0.{third}.{last}": 3 for third in range(64) for last in range(256)}
    note(pbx.pbx, "nftables", sources)
    readers = set()
    usual = set_names.pieces_of

    def pieces_of(netlink: NftConnection, name: str) -> list[bytes]:
        readers.add(get_ident())
        return usual(netlink, name)

    monkeypatch.setattr(noting, "pieces_of", pieces_of)

    noted = ALONE.noted(KEYS[Family.IPV4])

    assert len(readers) == 2
    readers.clear()
    assert BACKEND.noted(KEYS[Family.IPV4]) == noted._replace(seconds=ANY)
    assert len(readers) == 1
    assert sorted(noted.networks) == sorted(map(network, sources))
    assert noted.parts == (len(sources) // PARTS,) * PARTS


@pytest.mark.parametrize("missing", [0, 3, PARTS - 1])
def test_a_missing_part_is_made_and_the_others_keep_what_they_hold(pbx: Lab, missing: int) -> None:
    sources = SOURCES[Family.IPV4]
    pbx.fire([Probe(ip_address(s), PBX[Family.IPV4], Transport.UDP, 5060) for s in sources])
    nft(pbx, "flush chain inet geofence noted4-sip")
    nft(pbx, f"delete set inet geofence denied4.{missing}-sip")
    assert not plan_for(BACKEND, RULESET).is_empty
    held = BACKEND.keys()
    assert KEYS[Family.IPV4] not in held

    apply_ruleset(BACKEND, RULESET)

    assert plan_for(BACKEND, RULESET).is_empty
    wanted = [each for each in sources if part_of(Family.IPV4, network(each)) != missing]
    assert sorted(BACKEND.noted(KEYS[Family.IPV4]).networks) == sorted(map(network, wanted))


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("parts_are_there", [False, True])
def test_what_the_one_set_of_an_older_version_holds_is_taken_over(
    pbx: Lab, family: Family, *, parts_are_there: bool
) -> None:
    """Where the parts are there already, an older version ran for a while after a newer one."""
    if not parts_are_there:
        BACKEND.remove()
        nft(pbx, "add table inet geofence")
    for role in ("denied", "seen"):
        counted = " counter packets 3 bytes 300" if role == "denied" else ""
        elements = ", ".join(f"{_noted(each)}{counted} expires 5h" for each in SOURCES[family])
        v6 = "v6" if family is Family.IPV6 else "v4"
        counter = "counter;" if counted else ""
        text = UNDIVIDED.format(
            role=role, digit=family.digit, v6=v6, counter=counter, elements=elements
        )
        nft(pbx, text)

    apply_ruleset(BACKEND, RULESET)

    assert plan_for(BACKEND, RULESET).is_empty
    names = pbx.pbx.run("nft", "list", "sets")
    assert f"denied{family.digit}-sip " not in names
    noted = BACKEND.noted(KEYS[family])
    if parts_are_there:
        assert noted.number == 0
    else:
        assert sorted(noted.networks) == sorted(network(each) for each in SOURCES[family])
        assert set(noted.packets) == {3}
        assert all(4.9 * 3600 < left <= 5 * 3600 for left in noted.seconds)


def _noted(text: str) -> str:
    return text.replace("::7", "::")


@given(st.sampled_from(Family), st.integers(min_value=0))
def test_a_part_has_its_name_and_no_other(family: Family, number: int) -> None:
    for role in NOTED_ROLES:
        for key in parts_of(SetKey(role, "sip", family)):
            assert PartKey.parse(key.name) == key
    wrong = (f"denied4.{number + PARTS}-sip", f"allow4.{number}", "denied4.-sip", "denied4.01-sip")
    assert [PartKey.parse(name) for name in wrong] == [None] * len(wrong)
    assert PartKey.parse(f"denied{family.digit}-sip") is None


def test_of_too_many_sources_a_part_takes_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    from geofence.backends.nftables import noted, timed

    monkeypatch.setattr(noted, "MOST_NOTED", 3 * PARTS)
    pieces = timed.encode_networks(Family.IPV4, range(8 * 10))

    parts = [pieces_of_part(Family.IPV4, pieces, part) for part in range(PARTS)]

    assert [decode_noted(Family.IPV4, part).number for part in parts] == [3] * PARTS
