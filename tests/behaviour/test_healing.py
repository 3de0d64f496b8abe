"""Applying again changes nothing; applying after damage makes the fence whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from geofence.backends import registry
from geofence.lab.network import Lab
from geofence.lab.probes import Transport
from geofence.model.prefixes import Family
from tests.backends.damage import damage
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET, Role, probe


def _cases() -> Iterator[tuple[str, str]]:
    for backend in sorted(registry.MODULES):
        for what in damage(backend):
            yield backend, what


def _everybody(fence: Fence, families: Iterable[Family] = Family) -> list[str | None]:
    ports = [(Transport.UDP, 5060), (Transport.UDP, 10_000), (Transport.TCP, 5061)]
    return fence.lab.fire(
        probe(role, family, *port) for role in Role for family in families for port in ports
    )


def _drops(fence: Fence, family: Family) -> bool:
    """Whether anybody of a family is kept out of anything."""
    return not all(_everybody(fence, [family]))


def test_applying_again_changes_nothing(fence: Fence) -> None:
    assert not fence.apply(RULESET).plan.is_empty
    _everybody(fence)
    before = fence.observe()

    assert fence.apply(RULESET).plan.is_empty
    assert fence.observe() == before
    assert sum(fence.dropped().values()) > 0


@pytest.mark.parametrize(("backend", "what"), list(_cases()))
def test_damage_is_seen_and_repaired(lab: Lab, backend: str, what: str) -> None:
    fence = Fence(lab, registry.load(backend))
    fence.apply(RULESET)
    whole, landed = fence.observe(), _everybody(fence)

    fence.run(damage(backend)[what])
    assert not fence.plan(RULESET).is_empty
    assert fence.observe().fenced == {family for family in Family if _drops(fence, family)}
    fence.apply(RULESET)

    assert fence.observe().fenced == set(Family)
    assert _everybody(fence) == landed
    healed = fence.observe()
    assert (healed.sets, healed.rules, healed.debris) == (whole.sets, whole.rules, ())


def test_removing_twice_finds_nothing_the_second_time(fence: Fence) -> None:
    fence.apply(RULESET)

    assert fence.remove()
    assert not fence.remove()
    assert fence.observe() == type(fence.observe())()


def test_removing_works_on_a_damaged_fence(fence: Fence) -> None:
    fence.apply(RULESET)
    fence.run(damage(fence.backend.name)["its rules flushed"])

    assert fence.remove()
    assert not fence.remove()
