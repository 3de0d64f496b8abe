"""Whom a fenced node lets in: packets of strangers, of other nodes and of pods, as they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from geofence.doctor.findings import Finding, FindingKind, Severity
from geofence.operations.doctor import Examined, doctor
from geofence.operations.site import Site
from geofence.sentences.doctor import finding_texts
from tests.cli.machine import BACKENDS, Machine, machine
from tests.node.network import (
    CLUSTER,
    HOST_PORT,
    JAPANESE,
    LOCAL,
    NODE,
    NODE_PORT,
    OTHER,
    POD,
    SIP,
    STRANGER,
    Cluster,
    cluster,
)

NONE = "local.prefixes = []\n"


@pytest.fixture(scope="module", params=BACKENDS)
def fenced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Machine, Cluster]]:
    """A node whose fence allows Japan, as it ships."""
    directory = tmp_path_factory.mktemp("node")
    with machine(directory, request.param) as made, cluster(made.host) as around:
        made.ok("refresh")
        yield made, around


@contextmanager
def ruled(where: Machine, text: str) -> Iterator[None]:
    """With these rules on top."""
    path = where.rule("60-node.toml", text)
    where.ok("apply")
    try:
        yield
    finally:
        path.unlink()
        where.ok("apply")


def from_internet(around: Cluster, source: str, address: str, port: int) -> str | None:
    return around.gets_in(around.internet, source, (address, port), around.node)


def found(where: Machine) -> Finding | None:
    """What the doctor finds of nodes that are trusted."""
    site = Site(rules_directory=where.rules, state_directory=where.state, rules_required=True)
    with where.host.entered():
        report = doctor(site, Examined(asterisk=where.directory / "none", offline=True))
    kinds = {each.kind: each for each in report.findings}
    return kinds.get(FindingKind.NODES_TRUSTED)


def test_strangers_are_blocked_on_the_node_s_own_port(fenced: tuple[Machine, Cluster]) -> None:
    _, around = fenced
    assert from_internet(around, JAPANESE, NODE, SIP) == JAPANESE
    assert from_internet(around, STRANGER, NODE, SIP) is None


def test_a_node_port_is_fenced_where_the_source_survives(fenced: tuple[Machine, Cluster]) -> None:
    where, around = fenced
    around.proxy(LOCAL)
    with ruled(where, NONE):
        assert from_internet(around, JAPANESE, NODE, NODE_PORT) == JAPANESE
        assert from_internet(around, STRANGER, NODE, NODE_PORT) is None
        assert from_internet(around, STRANGER, OTHER, NODE_PORT) is None
        assert found(where) is None


def test_another_node_lets_strangers_in_only_where_nodes_are_local_networks(
    fenced: tuple[Machine, Cluster],
) -> None:
    where, around = fenced
    around.proxy(CLUSTER)
    assert from_internet(around, STRANGER, OTHER, NODE_PORT) == OTHER
    finding = found(where)
    assert finding is not None
    assert (finding.severity, finding.subject) == (Severity.WRONG, "192.168.1.0/24")
    assert finding_texts(finding)
    with ruled(where, NONE):
        assert from_internet(around, STRANGER, OTHER, NODE_PORT) is None
        assert from_internet(around, JAPANESE, OTHER, NODE_PORT) is None
        assert from_internet(around, JAPANESE, NODE, SIP) == JAPANESE
        assert found(where) is None


def test_without_a_service_trusted_nodes_are_a_notice(fenced: tuple[Machine, Cluster]) -> None:
    where, around = fenced
    around.node.run("iptables", "-t", "nat", "-F")
    finding = found(where)
    assert finding is not None
    assert (finding.severity, finding.data["interfaces"]) == (Severity.NOTICE, ["cni0"])


def test_pods_are_no_local_network_unless_the_rules_say_so(
    fenced: tuple[Machine, Cluster],
) -> None:
    where, around = fenced
    around.proxy(LOCAL)
    assert around.gets_in(around.pod, POD, (NODE, SIP), around.node) is None
    with ruled(where, 'local.prefixes = ["10.42.0.0/24@cni0"]\n'):
        assert around.gets_in(around.pod, POD, (NODE, SIP), around.node) == POD
    networks = where.ok("status", "--json").json["local_networks"]
    assert [each for each in networks if "10.42" in str(each)] == []


def test_a_pod_s_host_port_is_fenced_by_the_port_of_the_pod(
    fenced: tuple[Machine, Cluster],
) -> None:
    _, around = fenced
    around.proxy(LOCAL)
    for source, seen in ((JAPANESE, JAPANESE), (STRANGER, None)):
        target = (NODE, HOST_PORT)
        assert around.gets_in(around.internet, source, target, around.pod) == seen


def test_replies_to_what_pods_and_the_node_asked_come_back(
    fenced: tuple[Machine, Cluster],
) -> None:
    _, around = fenced
    around.proxy(CLUSTER)
    assert around.hears_back(around.pod, STRANGER)
    assert around.hears_back(around.node, STRANGER)
