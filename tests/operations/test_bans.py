"""Bans in the record and in the kernel, on both backends, proved by packets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.bans import BanOrder, UnbanOrder
from geofence.model.prefixes import Family
from geofence.operations.bans import Bans, CurrentBan, NotBannedError
from tests.chaos.ground import Ground, ground, medium_list
from tests.cli.machine import BACKENDS
from tests.cli.world import JAPANESE
from tests.support.values import prefix

HOUR = timedelta(hours=1)
ATTACKER, OTHER = "133.9.9.9", "133.9.9.8"
ATTACKER6 = "2400:4000:9::9"


@pytest.fixture(params=BACKENDS)
def pbx(request: pytest.FixtureRequest, tmp_path: Path, lab: Lab) -> Iterator[Ground]:
    """A PBX with a fence, for every backend in turn; the test is on it."""
    with ground(tmp_path, request.param, lab) as made:
        made.machine.ok("refresh")
        with lab.pbx.entered():
            yield made


def gets_in(pbx: Ground, source: str) -> bool:
    family = Family.IPV4 if "." in source else Family.IPV6
    probe = Probe(ip_address(source), PBX[family], Transport.UDP, 5060, source_port=41_000)
    return pbx.lab.fire([probe]) == ["pbx"]


def current(pbx: Ground) -> dict[str, CurrentBan]:
    return {str(each.ban.prefix): each for each in Bans(pbx.site).all()}


def left(pbx: Ground, text: str) -> float:
    """Seconds that the kernel itself will hold a prefix."""
    wanted = prefix(text)
    from geofence.operations.runtime import BAN_KEYS

    (found,) = [
        each.seconds
        for key in BAN_KEYS
        if key.family is wanted.family
        for each in pbx.backend.elements(key)
        if each.first == wanted.network
    ]
    return float("inf") if found is None else found


def test_a_ban_is_in_the_record_and_in_the_kernel_and_drops_what_goes_on(pbx: Ground) -> None:
    bans = Bans(pbx.site)
    assert gets_in(pbx, ATTACKER)
    assert bans.ban([prefix(f"{ATTACKER}/32"), prefix(f"{ATTACKER6}/128")], HOUR, "x").in_kernel
    assert not gets_in(pbx, ATTACKER)
    assert not gets_in(pbx, ATTACKER6)
    assert gets_in(pbx, OTHER)
    assert pbx.site.bans.load().bans.keys() == {
        prefix(f"{ATTACKER}/32"),
        prefix(f"{ATTACKER6}/128"),
    }
    assert current(pbx)[f"{ATTACKER}/32"].packets == 1
    bans.unban([prefix(f"{ATTACKER}/32")])
    assert gets_in(pbx, ATTACKER)
    with pytest.raises(NotBannedError):
        bans.unban([prefix(f"{ATTACKER}/32")])


def test_a_ban_that_is_banned_anew_stays_and_gets_the_longer_time(pbx: Ground) -> None:
    bans = Bans(pbx.site)
    for seconds, least in ((60, 50), (600, 590), (60, 590)):
        bans.ban([prefix(f"{ATTACKER}/32")], timedelta(seconds=seconds))
        assert not gets_in(pbx, ATTACKER)
        assert least < left(pbx, f"{ATTACKER}/32") <= 600
    bans.ban([prefix(f"{ATTACKER}/32")], None)
    bans.ban([prefix(f"{ATTACKER}/32")], HOUR)
    assert left(pbx, f"{ATTACKER}/32") == float("inf")
    assert not gets_in(pbx, ATTACKER)


def test_overlapping_bans_each_last_to_their_own_end(pbx: Ground) -> None:
    bans = Bans(pbx.site)
    bans.ban([prefix("133.9.0.0/16")], HOUR)
    bans.ban([prefix(f"{ATTACKER}/32")], None)
    bans.ban([prefix("133.9.9.0/24"), prefix(f"{OTHER}/32")], timedelta(seconds=600))
    assert set(current(pbx)) == {"133.9.0.0/16", "133.9.9.0/24", f"{ATTACKER}/32", f"{OTHER}/32"}
    bans.unban([prefix("133.9.0.0/16")])
    assert not gets_in(pbx, ATTACKER)
    assert not gets_in(pbx, OTHER)
    assert gets_in(pbx, "133.9.8.1")
    bans.unban([prefix("133.9.9.0/24"), prefix(f"{OTHER}/32")])
    assert gets_in(pbx, OTHER)
    assert not gets_in(pbx, ATTACKER)


def test_many_orders_are_one_change_and_each_has_its_answer(pbx: Ground) -> None:
    answers, in_kernel = Bans(pbx.site).obey(
        [
            BanOrder(prefix(f"{ATTACKER}/32"), HOUR),
            BanOrder(prefix("127.0.0.1/32"), HOUR),
            BanOrder(prefix(f"{OTHER}/32"), HOUR),
            UnbanOrder(prefix(f"{OTHER}/32")),
            UnbanOrder(prefix(f"{OTHER}/32")),
            UnbanOrder(prefix(f"{ATTACKER}/32"), timedelta(minutes=5)),
            BanOrder(prefix(f"{ATTACKER6}/128")),
        ]
    )
    assert in_kernel
    assert [None if each is None else type(each).__name__ for each in answers] == [
        *(None, "BanRefused", None, None),
        *("NotBannedError", "LastsLongerError", None),
    ]
    assert set(current(pbx)) == {f"{ATTACKER}/32", f"{ATTACKER6}/128"}
    assert [gets_in(pbx, each) for each in (ATTACKER, OTHER, ATTACKER6)] == [False, True, False]


def test_a_ban_of_two_seconds_ends_with_no_process(pbx: Ground) -> None:
    assert Bans(pbx.site).ban([prefix(f"{ATTACKER}/32")], timedelta(seconds=2)).in_kernel
    began = time.monotonic()
    assert not gets_in(pbx, ATTACKER)
    while not gets_in(pbx, ATTACKER):
        assert time.monotonic() < began + 5
        time.sleep(0.05)
    assert time.monotonic() > began + 1
    assert current(pbx) == {}
    assert Bans(pbx.site).ban([prefix(f"{ATTACKER}/32")], HOUR).in_kernel
    assert not gets_in(pbx, ATTACKER)


def test_a_reboot_keeps_the_time_that_is_left(pbx: Ground) -> None:
    Bans(pbx.site).ban([prefix(f"{ATTACKER}/32")], timedelta(seconds=100))
    Bans(pbx.site).ban([prefix(f"{OTHER}/32")], timedelta(seconds=2))
    Bans(pbx.site).ban([prefix(f"{ATTACKER6}/128")], None)
    until = current(pbx)[f"{ATTACKER}/32"].ban.until
    assert until is not None
    pbx.machine.clear()
    assert gets_in(pbx, ATTACKER)
    time.sleep(2)
    pbx.machine.ok("restore")
    assert not gets_in(pbx, ATTACKER)
    assert not gets_in(pbx, ATTACKER6)
    assert gets_in(pbx, OTHER)
    remaining = (until - datetime.now(UTC)).total_seconds()
    assert remaining < 98.5
    assert abs(left(pbx, f"{ATTACKER}/32") - remaining) < 2
    assert current(pbx)[f"{ATTACKER}/32"].ban.until == until


def test_refresh_apply_and_rollback_keep_bans_with_what_they_counted(pbx: Ground) -> None:
    Bans(pbx.site).ban([prefix(f"{ATTACKER}/32"), prefix(f"{ATTACKER6}/128")], HOUR)
    assert not gets_in(pbx, ATTACKER)
    pbx.machine.serve("JP", medium_list(9))
    for command in ("refresh", "apply", "rollback", "repair", "restore"):
        pbx.machine.ok(command)
        assert current(pbx)[f"{ATTACKER}/32"].packets == 1, command
        assert current(pbx)[f"{ATTACKER6}/128"].packets == 0, command
    assert not gets_in(pbx, ATTACKER)
    assert gets_in(pbx, JAPANESE[0])


def test_a_switch_of_backends_takes_bans_along(pbx: Ground) -> None:
    Bans(pbx.site).ban([prefix(f"{ATTACKER}/32")], timedelta(seconds=600))
    (other,) = set(BACKENDS) - {pbx.machine.backend}
    pbx.machine.backend = other
    pbx.machine.ok("apply")
    assert set(current(pbx)) == {f"{ATTACKER}/32"}
    assert current(pbx)[f"{ATTACKER}/32"].packets == 0
    assert 500 < left(pbx, f"{ATTACKER}/32") <= 600
    assert not gets_in(pbx, ATTACKER)
    Bans(pbx.site).unban([prefix(f"{ATTACKER}/32")])
    assert gets_in(pbx, ATTACKER)


def test_what_another_program_flushes_is_put_back_by_the_next_run(pbx: Ground) -> None:
    Bans(pbx.site).ban([prefix(f"{ATTACKER}/32")], HOUR)
    from geofence.operations.runtime import BAN_KEYS

    for key in BAN_KEYS:
        pbx.backend.hold(key, (), time.time())
    assert current(pbx)[f"{ATTACKER}/32"].packets is None
    pbx.machine.ok("repair")
    assert current(pbx)[f"{ATTACKER}/32"].packets == 0
    assert not gets_in(pbx, ATTACKER)


def test_one_process_sees_what_another_has_changed(pbx: Ground) -> None:
    bans = Bans(pbx.site)
    bans.ban([prefix(f"{OTHER}/32")], HOUR)
    pbx.machine.ok("ban", ATTACKER, "--for", "1h")
    pbx.machine.ok("unban", OTHER)
    assert set(current(pbx)) == {f"{ATTACKER}/32"}
    with pytest.raises(NotBannedError):
        bans.unban([prefix(f"{OTHER}/32")])
    bans.unban([prefix(f"{ATTACKER}/32")])
    assert gets_in(pbx, ATTACKER)
