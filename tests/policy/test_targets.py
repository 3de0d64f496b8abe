"""``[target.NAME]`` in the rules."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import RulesError
from geofence.model.target import Target, TargetKind
from geofence.policy.mistakes import Mistake, Problems
from geofence.policy.schema import read_policy
from geofence.policy.targets import label, namespace
from geofence.policy.toml_tree import parse

GOOD = """
[target.k8s]
kind = "cilium"
namespace = "pbx"
pods = ["app=asterisk", "example.org/role="]
nodes = ["pbx=yes"]
services = ["sip"]
kubeconfig = "/etc/geofence/kubeconfig"
context = "prod"
login_program = true
"""
SERVICE = '[service.sip]\nports = ["5060/udp"]\n'


def targets(text: str) -> tuple[Target, ...]:
    """The targets of rules with one service."""
    problems = Problems()
    tree = parse(SERVICE + text, "mine.toml", problems)
    problems.raise_any()
    assert tree is not None
    policy = read_policy(tree, problems)
    problems.raise_any()
    return policy.targets


def test_all_keys() -> None:
    assert targets(GOOD) == (
        Target(
            "k8s",
            TargetKind.CILIUM,
            "pbx",
            (("app", "asterisk"), ("example.org/role", "")),
            (("pbx", "yes"),),
            ("sip",),
            "/etc/geofence/kubeconfig",
            "prod",
            login_program=True,
        ),
    )
    assert targets("") == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "cilium"\n', "", "has no kind"),
        ('"cilium"', '"flannel"', 'unknown value "flannel"'),
        ('"cilium"', '"networkpolicy"', "cannot fence nodes"),
        ('namespace = "pbx"\n', "", "has pods, but no namespace"),
        ('"pbx"', '"P B X"', "is not the name of a namespace"),
        ('"app=asterisk"', '"app"', "is not a label with a value"),
        ('"app=asterisk"', '"app=a", "app=b"', "has two values for one label"),
        ('["sip"]', '["sipp"]', 'unknown service "sipp"'),
        ('["sip"]', "[]", "contains no service"),
        ('"/etc/geofence/kubeconfig"', '"kubeconfig"', "is not an absolute path"),
        ('kubeconfig = "/etc/geofence/kubeconfig"\n', "", "has a context, but no kubeconfig"),
        ('"prod"', '"a\\u0007"', "is not the name of a context"),
        ("true", '"yes"', "true or false"),
        ("[target.k8s]", "[target.K8S]", "is not a valid name"),
        ("login_program", "exec", "unknown key"),
    ],
)
def test_mistakes_name_file_line_and_what_is_expected(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(RulesError, match=rf"(?s)mine\.toml:\d+: target.*{re.escape(said)}"):
        targets(GOOD.replace(old, new))


def test_a_target_that_selects_nothing_is_a_mistake() -> None:
    with pytest.raises(RulesError, match="selects nothing"):
        targets('[target.k8s]\nkind = "calico"\n')


@given(st.text(max_size=80))
def test_labels_and_namespaces_are_those_that_kubernetes_takes(text: str) -> None:
    try:
        found = label(text)
    except Mistake:
        pass
    else:
        name, _, value = found.partition("=")
        assert re.fullmatch(r"([a-z0-9.-]+/)?[A-Za-z0-9_.-]{1,63}", name)
        assert re.fullmatch(r"[A-Za-z0-9_.-]{0,63}", value)
    with suppress(Mistake):
        assert re.fullmatch(r"[a-z0-9-]{1,63}", namespace(text))
