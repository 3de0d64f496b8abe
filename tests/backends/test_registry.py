from __future__ import annotations

from pathlib import Path

import pytest

from geofence.backends import registry
from geofence.backends.ipset import conflicts, matches
from geofence.backends.nftables.backend import NftablesBackend
from geofence.backends.registry import Chosen, choose
from geofence.errors import BackendUnavailable
from geofence.lab.network import Lab
from geofence.model.chosen import ChosenBackend, ChosenBy
from geofence.model.policy import BackendChoice
from geofence.sentences.backends import backend_text


@pytest.fixture
def firewalld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemctl makes, elsewhere, when firewalld is enabled."""
    monkeypatch.setattr(conflicts, "ROOT", tmp_path)
    units = tmp_path / "usr/lib/systemd/system"
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    units.mkdir(parents=True)
    wants.mkdir(parents=True)
    (units / "firewalld.service").write_text("[Service]\nExecStart=/usr/sbin/firewalld\n")
    return wants / "firewalld.service"


def text(found: Chosen) -> str:
    return backend_text(found.reason)


def chosen(lab: Lab, choice: BackendChoice, holder: str | None = None) -> Chosen:
    with lab.pbx.entered():
        return choose(choice, holder=holder)


def test_auto_prefers_ipset_where_nothing_flushes_it(lab: Lab, firewalld: Path) -> None:
    assert not firewalld.is_symlink()
    found = chosen(lab, BackendChoice.AUTO)
    assert found.reason == ChosenBackend("ipset", ChosenBy.AUTOMATIC)


def test_beside_firewalld_nftables_comes_first(lab: Lab, firewalld: Path) -> None:
    firewalld.symlink_to("/lib/systemd/system/firewalld.service")
    found = chosen(lab, BackendChoice.AUTO)
    assert found.backend.name == "nftables"
    assert text(found).startswith("nftables, chosen automatically (firewalld is enabled here")


def test_the_choice_of_the_rules_is_kept_and_its_danger_reported(lab: Lab, firewalld: Path) -> None:
    firewalld.symlink_to("/lib/systemd/system/firewalld.service")
    found = chosen(lab, BackendChoice.IPSET)
    assert found.backend.name == "ipset"
    assert text(found).startswith("ipset, as the rules say (firewalld is enabled here")


def test_where_nftables_cannot_work_a_rival_is_put_up_with(
    lab: Lab, firewalld: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firewalld.symlink_to("/lib/systemd/system/firewalld.service")
    monkeypatch.setattr(NftablesBackend, "obstacle", lambda _: "It cannot.")
    found = chosen(lab, BackendChoice.AUTO)
    assert found.backend.name == "ipset"
    assert text(found).endswith("reloaded. It cannot.)")


@pytest.mark.usefixtures("firewalld")
@pytest.mark.parametrize("holder", registry.MODULES)
def test_the_one_that_holds_the_fence_keeps_it(lab: Lab, holder: str) -> None:
    assert chosen(lab, BackendChoice.AUTO, holder).backend.name == holder


def test_from_one_that_has_a_rival_the_fence_moves(lab: Lab, firewalld: Path) -> None:
    firewalld.symlink_to("/lib/systemd/system/firewalld.service")
    found = chosen(lab, BackendChoice.AUTO, "ipset")
    assert text(found).startswith("nftables, chosen automatically (firewalld is enabled here")


@pytest.mark.usefixtures("firewalld")
def test_from_one_that_cannot_work_any_more_the_fence_moves(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NftablesBackend, "obstacle", lambda _: "It cannot.")
    found = chosen(lab, BackendChoice.AUTO, "nftables")
    assert text(found) == "ipset, chosen automatically (It cannot.)"


@pytest.mark.usefixtures("firewalld")
def test_the_choice_of_the_rules_goes_before_the_current_backend(lab: Lab) -> None:
    assert chosen(lab, BackendChoice.IPSET, "nftables").backend.name == "ipset"


def test_every_needed_match_is_found(lab: Lab) -> None:
    with lab.pbx.entered():
        assert matches.lacking() is None


@pytest.mark.usefixtures("firewalld")
def test_where_the_kernel_lacks_a_match_nftables_comes_first(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matches, "NEEDED", (*matches.NEEDED, "no-such"))
    for holder in (None, "ipset"):
        found = chosen(lab, BackendChoice.AUTO, holder)
        assert found.backend.name == "nftables"
        assert 'lacks the iptables match "no-such" (xt_no-such)' in text(found)


@pytest.mark.usefixtures("firewalld")
def test_a_backend_by_name_is_refused_where_the_kernel_lacks_a_match(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matches, "NEEDED", ("no-such",))
    with pytest.raises(BackendUnavailable, match="modprobe xt_no-such"):
        chosen(lab, BackendChoice.IPSET)
