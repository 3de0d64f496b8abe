"""Two targets of policies that add up must not select the same pods: each opens the other's."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.errors import RulesError
from geofence.policy import load_policy

ONE = """\
[service.sip]
ports = ["5060/udp"]
[target.one]
kind = "networkpolicy"
namespace = "pbx"
pods = ["app=asterisk", "tier=voice"]
"""


def load(place: Path, second: str) -> tuple[str, ...]:
    (place / "10.toml").write_text(ONE + second)
    return tuple(each.name for each in load_policy([place]).targets)


@pytest.mark.parametrize(
    "second",
    [
        'kind = "networkpolicy"\nnamespace = "pbx"\npods = ["app=asterisk"]\n',
        'kind = "cilium"\nnamespace = "pbx"\npods = ["role=pbx"]\n',
    ],
)
def test_pods_that_two_targets_may_select_are_refused(tmp_path: Path, second: str) -> None:
    with pytest.raises(RulesError, match=r"10\.toml:.*pods.*\[target\.one\] may select, too"):
        load(tmp_path, f"[target.two]\n{second}")


@pytest.mark.parametrize(
    "second",
    [
        'kind = "networkpolicy"\nnamespace = "pbx"\npods = ["app=kamailio"]\n',
        'kind = "networkpolicy"\nnamespace = "other"\npods = ["app=asterisk"]\n',
        'kind = "calico"\nnamespace = "pbx"\npods = ["app=asterisk"]\n',
        'kind = "cilium"\nnodes = ["app=asterisk"]\n',
        (
            'kind = "networkpolicy"\nnamespace = "pbx"\npods = ["app=asterisk"]\n'
            'kubeconfig = "/etc/other.conf"\n'
        ),
    ],
)
def test_targets_that_share_no_pod_are_taken(tmp_path: Path, second: str) -> None:
    assert load(tmp_path, f"[target.two]\n{second}") == ("one", "two")


def test_a_name_that_no_object_can_begin_with_is_refused(tmp_path: Path) -> None:
    text = '[target.two-]\nkind = "calico"\nnodes = ["a=b"]\n'
    with pytest.raises(RulesError, match="ends with a letter or digit"):
        load(tmp_path, text)
