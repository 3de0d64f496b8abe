"""Remove says what would put the fence back."""

from __future__ import annotations

from tests.cli.machine import ROOT, Machine


def test_all_that_is_ever_enabled_is_named_with_the_way_to_stop_it(one: Machine) -> None:
    one.ok("refresh")
    done = one.ok("remove")
    [disable] = [line.split() for line in done.err.splitlines() if "systemctl" in line]
    units = [path for path in (ROOT / "cron").glob("geofence-*.*") if path.is_file()]
    enabled = {path.name for path in units if "[Install]" in path.read_text(encoding="utf-8")}
    assert disable[:3] == ["systemctl", "disable", "--now"]
    assert set(disable[3:]) == enabled
    assert "rm /etc/cron.d/geofence" in done.err


def test_remove_without_a_fence_says_so(one: Machine) -> None:
    done = one.ok("remove")
    assert (done.out, done.err) == ("There was no fence to remove.\n", "")


def test_json_of_remove_has_the_backends_only(one: Machine) -> None:
    one.ok("refresh")
    done = one.ok("remove", "--json")
    assert (done.json, done.err) == ({"removed": [one.backend]}, "")
