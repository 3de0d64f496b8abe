from __future__ import annotations

import os
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geofence.geoip.countries import countries
from geofence.model.bans import Ban
from geofence.model.prefixes import Family, Prefix
from geofence.state.bans import BanStore
from tests.packaging.shells import DOWNLOADED, RUN, TOP, Shells
from tests.packaging.verbs import VERBS

RULES = """
[exception.hotel]
prefixes = ["203.0.113.7/32"]

[exception.push-jp]
enabled = true

[service.intercom]
ports = ["5080/udp"]

[allow]
countries = ["NZ", "NU"]
"""

needs_shells = pytest.mark.skipif(
    not DOWNLOADED.is_dir(), reason="./bootstrap test, as root, downloads zsh and fish"
)


@pytest.fixture
def shells(tmp_path: Path) -> Shells:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "50-test.toml").write_text(RULES)
    return Shells.at(tmp_path, rules)


def test_bash_completes_verbs(shells: Shells) -> None:
    assert shells.bash("geofence", "re") == [verb for verb in VERBS if verb.startswith("re")]
    assert set(shells.bash("geofence", "")) == set(VERBS)


def test_bash_completes_options(shells: Shells) -> None:
    assert {"--country", "--for", "--service"} <= set(shells.bash("geofence", "allow", "--"))


def test_allow_is_offered_disabled_exceptions_and_groups(shells: Shells) -> None:
    offered = set(shells.bash("geofence", "allow", ""))
    assert {"push-as", "bria"} <= offered
    assert not {"hotel", "push-jp"} & offered


def test_revoke_is_offered_enabled_exceptions_and_groups(shells: Shells) -> None:
    assert set(shells.bash("geofence", "revoke", "")) == {"hotel", "push-jp", "bria"}


def test_allow_is_offered_all_countries_in_either_case(shells: Shells) -> None:
    assert set(shells.bash("geofence", "allow", "--country", "")) == set(countries())
    assert shells.bash("geofence", "allow", "--country", "J") == ["JE", "JM", "JO", "JP"]
    assert shells.bash("geofence", "allow", "--country", "j") == ["je", "jm", "jo", "jp"]


def test_revoke_is_offered_the_countries_of_the_rules(shells: Shells) -> None:
    assert shells.bash("geofence", "revoke", "--country", "") == ["NU", "NZ"]


def test_services_are_those_of_the_rules(shells: Shells) -> None:
    assert shells.bash("geofence", "denied", "--service", "") == ["sip", "rtp", "intercom"]


def test_the_directory_of_rules_on_the_command_line_counts(shells: Shells, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others/rules.toml").write_text("[exception.elsewhere]\n")
    words = ("geofence", "--rules-dir", str(tmp_path / "others"), "revoke", "")
    assert shells.bash(*words) == ["elsewhere"]


def test_bans_are_offered_to_who_can_read_them(tmp_path: Path) -> None:
    shells = Shells.at(tmp_path, tmp_path, GEOFENCE_STATE_DIR=str(tmp_path / "state"))
    assert shells.bash("geofence", "unban", "") == []
    store = BanStore(tmp_path / "state")
    with store.held(1):
        store.append([Ban(Prefix(Family.IPV4, 0xCB007107, 32), at=datetime.now(UTC))])
    assert shells.bash("geofence", "unban", "") == ["203.0.113.7"]


@pytest.mark.parametrize(
    "broken", [b"[exception", b"\xff\xfe", b"exception = 1\nservice = [1]\n", b"[allow]\nx=1\n"]
)
def test_rules_that_are_wrong_do_not_disturb(shells: Shells, broken: bytes) -> None:
    (shells.place / "rules/60-broken.toml").write_bytes(broken)
    assert "push-as" in shells.bash("geofence", "allow", "") or broken.startswith(b"exception")


def test_a_name_that_a_shell_would_run_is_not_offered(shells: Shells) -> None:
    evil = '[exception."$(touch evil)"]\n[exception."a;b"]\n[exception.x]\ngroup = "`id`"\n'
    (shells.place / "rules/60-evil.toml").write_text(evil)
    assert set(shells.bash("geofence", "revoke", "")) == {"hotel", "push-jp", "bria", "x"}


def test_after_an_unknown_verb_the_verbs_are_offered_without_a_message(shells: Shells) -> None:
    assert "allow" in shells.bash("geofence", "nonsense", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_without_privileges_gets_the_names_of_rules() -> None:
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
    asked = {"COMP_WORDS": "geofence allow push-j", "COMP_CWORD": "2"}
    done = subprocess.run(
        [*words, sys.executable, "-c", RUN],
        cwd=TOP,
        env={"PATH": "/usr/bin", "_GEOFENCE_COMPLETE": "complete_bash", **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["push-jp"]
    assert not done.stderr


@needs_shells
def test_fish_completes_names(shells: Shells) -> None:
    assert set(shells.fish("geofence revoke ")) == {"hotel", "push-jp", "bria"}
    assert "refresh" in shells.fish("geofence re")


@needs_shells
def test_zsh_completes_a_name_at_the_first_tab(shells: Shells) -> None:
    assert "geofence revoke hotel" in shells.zsh("geofence revoke ho", "hotel")


@needs_shells
def test_zsh_lists_countries_with_their_names(shells: Shells) -> None:
    assert "Tokelau" in shells.zsh("geofence allow --country T", "Tokelau")


def test_a_tab_is_answered_before_one_notices(shells: Shells) -> None:
    """Processor time, which other processes on the machine do not change; 0.5 s is a lot."""
    spent = []
    for _ in range(3):
        before = os.times()
        shells.bash("geofence", "allow", "push")
        after = os.times()
        spent.append(after.children_user - before.children_user)
    assert statistics.median(spent) < 0.5
