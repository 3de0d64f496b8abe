"""The shield follows the fence: whoever becomes allowed is allowed at once, and it ends with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from geofence.by_hand.request import Request
from geofence.lab.network import PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.model.shield import LeftOut, ShieldReason, ShieldState, Why
from geofence.operations import shield_wanted
from geofence.operations.allow import allow, revoke
from geofence.operations.apply import apply
from geofence.operations.commit import Wish
from geofence.operations.confirm import decline
from geofence.operations.local_networks import follow
from geofence.operations.remove import remove
from geofence.operations.restore import restore
from geofence.operations.rollback import rollback
from geofence.operations.shield_status import shield_status
from geofence.shield.pins import directory
from geofence.shield.program import program
from geofence.state.shield import read_shield
from tests.shield.scene import SIP, STRANGERS, Scene, probe

STRANGER = STRANGERS[Family.IPV4]
EXCEPTION = '[exception.more]\nprefixes = ["8.8.4.0/24"]\nenabled = true\n'


def filtered(run: Callable[..., str], pref: int) -> None:
    """Let another program have a filter, which matches nothing."""
    code = "1,6 0 0 0,"
    run("tc", "qdisc", "replace", "dev", "wan", "clsact")
    where = ("tc", "filter", "add", "dev", "wan", "ingress", "pref", str(pref))
    run(*where, "handle", "1", "bpf", "bytecode", code, "flowid", "1:7")


def by_rules(stage: Scene) -> None:
    stage.rules(EXCEPTION)
    stage.apply()


def by_hand(stage: Scene) -> None:
    with stage.lab.pbx.entered():
        allow(stage.site, Request((str(STRANGER),)), accept=("shut-out",))


def for_a_time(stage: Scene) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    with stage.lab.pbx.entered():
        allow(stage.site, Request((str(STRANGER),), until=until), accept=("shut-out",))


def by_a_local_network(stage: Scene) -> None:
    stage.lab.pbx.run("ip", "address", "add", "8.8.4.1/24", "dev", "wan")
    with stage.lab.pbx.entered():
        follow(stage.site)


@pytest.mark.parametrize("act", [by_rules, by_hand, for_a_time, by_a_local_network])
def test_who_becomes_allowed_is_allowed_at_once_and_later(
    stage: Scene, act: Callable[[Scene], None]
) -> None:
    if act is by_a_local_network:
        stage.rules('[local]\nprefixes = ["8.8.4.0/24"]\n')
    stage.armed()
    assert stage.knock() == [None]
    act(stage)
    assert stage.knock() == ["pbx"]
    assert stage.look().state is ShieldState.ARMED
    assert stage.knock() == ["pbx"]
    other = Probe(STRANGER + (1 << 16), PBX[Family.IPV4], Transport.UDP, SIP)
    assert stage.fired(other) == (False, 1)


def test_a_rollback_and_a_decline_allow_again_at_once(stage: Scene) -> None:
    by_rules(stage)
    stage.rules()
    stage.armed()
    assert stage.knock() == [None]
    with stage.lab.pbx.entered():
        rollback(stage.site, None, Wish("rollback", ("shut-out",)))
    assert stage.knock() == ["pbx"]
    with stage.lab.pbx.entered():
        apply(stage.site, Wish("apply", ("shut-out",), confirm_seconds=600))
    stage.look()
    assert stage.knock() == [None]
    with stage.lab.pbx.entered():
        decline(stage.site)
    assert stage.knock() == ["pbx"]
    stage.look()
    assert stage.knock() == ["pbx"]


def test_who_is_allowed_until_a_time_is_so_after_a_restore_too(nft_stage: Scene) -> None:
    nft_stage.armed()
    for_a_time(nft_stage)
    nft_stage.look()
    with nft_stage.lab.pbx.entered():
        nft_stage.site.choose_backend(nft_stage.site.policy().backend).backend.remove()
        restore(nft_stage.site)
    assert nft_stage.knock() == ["pbx"]
    nft_stage.restart()
    assert nft_stage.look().state is not ShieldState.OFF
    assert nft_stage.knock() == ["pbx"]
    with nft_stage.lab.pbx.entered():
        revoke(nft_stage.site, Request((str(STRANGER),)), accept=("shut-out",))
    assert nft_stage.knock() == [None]


def test_the_shield_outlives_its_process(nft_stage: Scene) -> None:
    before = nft_stage.armed()
    nft_stage.knock(7)
    nft_stage.restart()
    assert nft_stage.knock(10) == [None] * 10
    record = nft_stage.look()
    assert (record.state, record.interfaces) == (ShieldState.ARMED, before.interfaces)
    assert nft_stage.dropped() >= 15


def test_a_run_that_changes_nothing_leaves_it_up(nft_stage: Scene) -> None:
    before = nft_stage.armed()
    nft_stage.apply()
    with nft_stage.lab.pbx.entered():
        restore(nft_stage.site)
    assert nft_stage.up
    assert nft_stage.look(changed=False).interfaces == before.interfaces


def test_it_goes_with_the_fence_and_leaves_nothing(stage: Scene) -> None:
    stage.armed()
    with stage.lab.pbx.entered():
        place = directory(stage.site.bpf_directory)
        remove(stage.site)
    assert not place.exists()
    assert stage.knock() == ["pbx"]
    assert "geofence" not in stage.lab.pbx.run("tc", "filter", "show", "dev", "wan", "ingress")
    assert "geofence-shield" not in stage.lab.pbx.run("nft", "list", "tables")
    record = stage.look()
    assert (record.state, record.reasons[0].why) == (ShieldState.OFF, Why.NO_FENCE)
    stage.apply()
    assert stage.look().state is ShieldState.AUDITING


def test_what_was_dropped_is_known_when_the_fence_is_removed(stage: Scene) -> None:
    stage.armed()
    stage.knock(20)
    seen = stage.dropped()
    stage.knock(20)
    with stage.lab.pbx.entered():
        remove(stage.site)
    kept = read_shield(stage.site.state_directory)
    assert kept is not None
    total = sum(each.packets for each in kept.dropped)
    assert seen + 15 < total <= 40
    assert stage.dropped() == total
    stage.armed()
    stage.knock(20)
    assert total + 15 < stage.dropped() <= total + 20


def test_counts_outlive_a_process_and_then_the_fence(nft_stage: Scene) -> None:
    nft_stage.armed()
    nft_stage.knock(20)
    total = nft_stage.dropped()
    with nft_stage.lab.pbx.entered():
        remove(nft_stage.site)
    nft_stage.restart()
    assert nft_stage.dropped() == total > 15


def test_another_program_than_that_of_this_version_is_replaced(
    nft_stage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(*given: object, **more: object) -> bytes:
        return program(*given, **more) + bytes(8)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(shield_wanted, "program", older)
        before = nft_stage.armed()
    nft_stage.knock(20)
    nft_stage.restart()
    record = nft_stage.look()
    assert (record.state, record.mark) == (ShieldState.ARMED, before.mark)
    assert record.interfaces != before.interfaces
    assert nft_stage.dropped() > 15


def test_it_ends_when_the_rules_do_not_ask_for_it(nft_stage: Scene) -> None:
    nft_stage.armed()
    nft_stage.rules("[shield]\nenabled = false\n")
    assert nft_stage.look(changed=False).reasons == (ShieldReason(Why.DISABLED),)
    assert not nft_stage.up
    assert nft_stage.knock() == [None]


def test_other_programs_of_tc_stay(clsact_stage: Scene) -> None:
    run = clsact_stage.lab.pbx.run
    filtered(run, 7)
    filtered(run, 200)
    clsact_stage.apply()
    assert clsact_stage.look().state is ShieldState.AUDITING
    assert "pref 150 " in run("tc", "filter", "show", "dev", "wan", "ingress")
    with clsact_stage.lab.pbx.entered():
        clsact_stage.keeper.take_down()
    shown = run("tc", "filter", "show", "dev", "wan", "ingress")
    assert "pref 7 " in shown
    assert "pref 200 " in shown
    assert "pref 150 " not in shown


def test_a_filter_of_another_program_in_its_place_is_left_alone(clsact_stage: Scene) -> None:
    run = clsact_stage.lab.pbx.run
    filtered(run, 150)
    clsact_stage.apply()
    record = clsact_stage.look()
    assert record.state is ShieldState.OFF
    assert record.reasons[0].why is Why.KERNEL
    assert "flowid 1:7" in run("tc", "filter", "show", "dev", "wan", "ingress")


def test_services_that_are_observed_are_left_to_the_fence(nft_stage: Scene) -> None:
    nft_stage.rules("[service.sip]\nobserve = true\n")
    nft_stage.apply()
    assert nft_stage.look().left_out == (LeftOut("sip", Why.OBSERVED),)
    nft_stage.lab.fire([probe(STRANGER, 12_000)] * 30)
    assert nft_stage.look().state is ShieldState.ARMED
    assert nft_stage.knock() == ["pbx"]
    nft_stage.rules("[mode]\nobserve = true\n")
    nft_stage.apply()
    record = nft_stage.look()
    assert {each.why for each in record.reasons} == {Why.OBSERVED}
    assert not nft_stage.up


def test_status_sees_what_became_of_it(nft_stage: Scene) -> None:
    record = nft_stage.armed()
    with nft_stage.lab.pbx.entered():
        told = shield_status(nft_stage.site, nft_stage.site.policy())
        assert told is not None
        assert told.is_armed
        assert told.record == record
        for path in directory(nft_stage.site.bpf_directory).glob(f"{nft_stage.how}-*"):
            path.unlink()
        told = shield_status(nft_stage.site, nft_stage.site.policy())
        assert told is not None
        assert told.differs
    assert nft_stage.look(changed=False).state is ShieldState.ARMED
    assert nft_stage.up
