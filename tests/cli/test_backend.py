"""Which backend holds the fence, whoever asks: a shell with all rights, or a unit with few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geofence.model.notes import NoteKind
from tests.cli.facts import fact
from tests.cli.machine import Machine, machine

AS_A_UNIT = ("setpriv", "--bounding-set", "-net_raw")
"""What geofence's units may do without geofence-.service.d/ipset.conf."""
FAMILIES = ("iptables", "ip6tables")


@pytest.fixture
def automatic(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose backend is chosen by itself, with a fence that ipset holds."""
    with machine(tmp_path, "ipset") as made:
        made.ok("refresh")
        made.environment["GEOFENCE_BACKEND"] = "auto"
        yield made


def held_by(made: Machine) -> list[str]:
    tables = made.tool("nft", "list", "tables").splitlines()
    rules = [made.tool(name, "-t", "mangle", "-S") for name in FAMILIES]
    found = {"nftables": "table inet geofence" in tables, "ipset": "GEOFENCE" in " ".join(rules)}
    return [name for name, holds in found.items() if holds]


def test_the_fence_stays_where_it_is(automatic: Machine) -> None:
    automatic.ok("apply")
    assert held_by(automatic) == ["ipset"]
    automatic.ok("--backend", "nftables", "apply")
    for verb in ("apply", "refresh", "restore", "apply"):
        automatic.ok(verb)
        assert held_by(automatic) == ["nftables"]


def test_a_rollback_brings_back_rules_and_not_the_backend(automatic: Machine) -> None:
    automatic.ok("--backend", "nftables", "apply")
    automatic.ok("rollback")
    assert held_by(automatic) == ["nftables"]


def test_a_unit_without_access_to_ipset_uses_nftables_and_reports_the_remains(
    automatic: Machine,
) -> None:
    automatic.wrapper = AS_A_UNIT

    done = automatic.run("refresh")

    assert done.code == 5
    assert "The fence of the backend ipset cannot be removed" in done.err
    assert "Run 'sudo geofence apply' in a shell." in done.err
    assert held_by(automatic) == ["nftables", "ipset"]
    automatic.wrapper = ()
    assert fact(automatic.ok("apply", "--json"), NoteKind.FENCE_REPLACED)[0] == "ipset"
    assert held_by(automatic) == ["nftables"]
    automatic.wrapper = AS_A_UNIT
    automatic.ok("refresh")
    assert held_by(automatic) == ["nftables"]
