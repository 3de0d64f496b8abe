"""A kernel that cannot label connections, as this one plays it: rules with labels are refused."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import pytest

from geofence.apply import apply_ruleset, plan_for
from geofence.backends.nftables import connection
from geofence.backends.nftables.backend import NftablesBackend
from geofence.backends.nftables.connection import BatchMessage, NftConnection, NoLabels
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.merge import merge
from geofence.model.prefixes import Family
from geofence.plan.drift import differences
from tests.oracle.trial import trial
from tests.support.values import country, policy, space

ALLOWED, STRANGER = "20.1.2.3", "203.0.113.7"
RULESET = merge(policy(), {country("JP"): space("20.0.0.0/8", "2001:db8:20::/48")})
OTHER = merge(policy(), {country("JP"): space("21.0.0.0/8", "2001:db8:20::/48")})


@pytest.fixture
def unlabelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse what a kernel without CONFIG_NF_CONNTRACK_LABELS refuses, as it does."""
    transact = NftConnection.transact

    def refusing(
        netlink: NftConnection, messages: Sequence[BatchMessage], generation: int | None = None
    ) -> None:
        for about, message in enumerate(messages):
            if message.labels:
                raise connection.refusal(errno.EOPNOTSUPP, about, messages)
        transact(netlink, messages, generation)

    monkeypatch.setattr(NftConnection, "transact", refusing)


@pytest.fixture
def backend(
    unlabelled: None,  # noqa: ARG001 - another fixture
    lab: Lab,
) -> Iterator[NftablesBackend]:
    with lab.pbx.entered():
        made = NftablesBackend()
        yield made
        made.remove()


def lands(lab: Lab, source: str, source_port: int = 5060) -> bool:
    probe = Probe(
        ip_address(source), PBX[Family.IPV4], Transport.UDP, 5060, source_port=source_port
    )
    (where,) = lab.fire([probe])
    return where is not None


def test_the_fence_does_without(backend: NftablesBackend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    assert not backend.labels
    assert lands(lab, ALLOWED)
    assert not lands(lab, STRANGER)
    another = NftablesBackend()
    assert plan_for(another, RULESET).is_empty
    assert not another.labels
    apply_ruleset(another, OTHER)
    assert not lands(lab, ALLOWED)
    assert lands(lab, "21.1.2.3")


def test_drift_is_seen_and_healed(backend: NftablesBackend, lab: Lab) -> None:
    apply_ruleset(backend, RULESET)
    lab.pbx.run("nft", "flush chain inet geofence fence-sip")
    assert differences(plan_for(NftablesBackend(), RULESET))
    apply_ruleset(NftablesBackend(), RULESET)
    assert plan_for(NftablesBackend(), RULESET).is_empty
    assert not lands(lab, STRANGER)


def test_a_kernel_that_gains_labels_gets_them_with_the_next_change_of_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with lab.pbx.entered():
        with monkeypatch.context() as patched:
            patched.setattr(NftConnection, "transact", NftConnection.transact)
            request.getfixturevalue("unlabelled")
            apply_ruleset(NftablesBackend(), RULESET)
        monkeypatch.undo()
        backend = NftablesBackend()
        backend.remove()  # as a reboot does
        apply_ruleset(backend, RULESET)
        assert backend.labels
        backend.remove()


def test_other_refusals_are_no_lack_of_labels() -> None:
    rule = BatchMessage(6, 0, b"", "a rule")
    assert not isinstance(connection.refusal(errno.EOPNOTSUPP, 0, [rule]), NoLabels)


@pytest.mark.usefixtures("unlabelled")
def test_the_oracle_agrees_on_what_the_next_best_rules_do() -> None:
    outcomes = list(trial(NftablesBackend(), 20_261_126, 2_000, labels=False))
    assert [str(wrong) for outcome in outcomes for wrong in outcome.disagreements] == []
    assert sum(outcome.packets for outcome in outcomes) == 2_000
