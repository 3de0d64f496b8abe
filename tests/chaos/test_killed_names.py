"""Kills of the run that follows names: the next one brings in what DNS says, and nothing else."""

from __future__ import annotations

import random

from geofence.model.lists import ListId, ListKind
from tests.chaos.aims import Aim, choose, measure, strike
from tests.chaos.ground import Ground
from tests.support.name_server import asking

KILLS = 8
NAME = "sip.provider.net"
FOLLOW = ("refresh", "--names-only")


def test_whenever_it_is_killed_the_next_run_follows_the_name(fresh: Ground) -> None:
    machine, dice = fresh.machine, random.Random(3)  # noqa: S311 - a fixed sequence, no secret
    machine.rule("60-trunk.toml", f'[exception.trunk]\nhosts = ["{NAME}"]\ngrace = "0s"\n')
    pool = [f"45.90.0.{number}" for number in range(1, KILLS + 4)]
    alive = []
    with asking(machine) as names:
        turns = iter(pool)
        names.addresses[NAME] = [next(turns)]
        machine.ok("refresh")
        extents = {}
        for aim in (Aim.START, Aim.LOCK):
            names.addresses[NAME] = [next(turns)]
            extents[aim] = measure(machine, FOLLOW, aim)
        for current in turns:
            names.addresses[NAME] = [current]
            aim = dice.choice((Aim.START, Aim.LOCK, Aim.LOCK))
            alive.append(strike(machine, FOLLOW, choose(dice, aim, extents[aim])))
            machine.ok(*FOLLOW)
            fresh.assert_whole()
            assert machine.gets_in(*pool) == [each == current for each in pool]
            known = fresh.site.lists.load(ListId(ListKind.HOST, NAME))
            assert known.warnings == ()
    assert any(alive)
