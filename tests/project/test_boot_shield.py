"""The shield's unit under a real systemd, whose sandbox could keep it from the BPF file system."""

from __future__ import annotations

import shutil

import pytest

from tests.project.test_boot import CHECK, SCRIPTS, boot, prepare, real_root
from tests.shield.kernel import side

UNIT = "geofence-shield.service"
SHIELD = "[shield]\nenabled = true\n"


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a boot left of the shield, and what else was done to it."""
    if not real_root():
        pytest.skip("booting systemd needs to be root, and not just of a user namespace")
    side()
    scratch = tmp_path_factory.mktemp("boot")
    prepare(scratch)
    shutil.copy(SCRIPTS / "check-shield.sh", scratch / "exchange/check.sh")
    (scratch / "enabled").write_text("geofence-restore geofence-shield\n")
    units = scratch / "seed/etc/systemd/system"
    (units / "check.service").write_text(CHECK.replace("After=", f"After={UNIT} "))
    (scratch / "seed/etc/geofence/rules.d/55-shield.toml").write_text(SHIELD)
    return boot(scratch)


def test_the_unit_puts_the_shield_up_as_soon_as_there_is_a_route(facts: dict[str, str]) -> None:
    assert facts["order"] == "after"
    assert facts["before"] == "off"
    assert facts["routed"].split()[0] == "auditing"
    assert len(facts["routed"].split()) == 2


def test_the_shield_outlives_its_process_which_is_started_again(facts: dict[str, str]) -> None:
    assert facts["killed"] == "1"
    assert facts["again"].split()[:2] == ["active", "auditing"]


def test_stopping_the_unit_leaves_nothing_in_the_kernel(facts: dict[str, str]) -> None:
    assert facts["stopped"].split() == ["off", "0", "0", "0"]
    assert facts["started"].split()[0] == "auditing"


@pytest.mark.parametrize("when", ["waiting", "starting"])
def test_stopping_it_shortly_after_a_kill_leaves_nothing_in_the_kernel(
    facts: dict[str, str], when: str
) -> None:
    assert facts[when].split() == ["off", "0", "0", "0"]
    assert facts["between"].split()[0] == "auditing"


def test_it_goes_with_the_fence_and_its_unit_goes_on(facts: dict[str, str]) -> None:
    assert facts["removed"].split() == ["off", "0", "0", "0"]
    assert facts["active"] == "active"
