"""From one table to another: what is done, in which order, and again if others came in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from geofence.backends.nftables import inventory, transaction
from geofence.backends.nftables.look import Look, look
from geofence.backends.nftables.netlink import TABLE, Changed, Netlink, Request, batch_size
from geofence.backends.nftables.objects import Key
from geofence.errors import BackendError
from geofence.model.plan import Plan
from geofence.model.prefixes import PrefixSet
from geofence.model.ruleset import Ruleset, SetKey

_ATTEMPTS = 20
_PAUSE = 0.002
"""Seconds by which each further attempt waits longer."""


def switch(netlink: Netlink, plan: Plan) -> None:
    """Bring the table to what the plan desires.

    New sets are filled beforehand, when no rule looks into them yet, in as many transactions as the
    socket's buffer takes; former ones go afterwards.
    """
    names = _switched(netlink, plan)
    for held in _looks(netlink):
        former = transaction.former_sets(held, names)
        if not former or _transacted(netlink, former, held):
            return


def take_away(netlink: Netlink) -> bool:
    """Take the table away, in one transaction; whether there was one."""
    held = next(
        held
        for held in _looks(netlink)
        if not held.exists or _transacted(netlink, [transaction.no_table()], held)
    )
    return held.exists


def _looks(netlink: Netlink) -> Iterator[Look]:
    """Fresh looks without elements, until whoever asks has done what it wanted.

    Raises:
        BackendError: it never could, since others changed nftables between look and transaction.
    """
    for attempt in range(_ATTEMPTS):
        if attempt > 1:  # the second look follows upon the filling of sets
            time.sleep(attempt * _PAUSE)
        yield look(netlink, elements=False)
    raise BackendError(
        f"Other programs changed nftables all the time while table inet {TABLE} was being written "
        f"({_ATTEMPTS} attempts); what it held still stands. Run it again when they are done."
    )


def _transacted(netlink: Netlink, requests: list[Request], held: Look) -> bool:
    """Carry out what was made for a look; false, and nothing done, if it is no longer true."""
    try:
        netlink.transact(requests, held.generation)
    except Changed:
        return False
    return True


def _switched(netlink: Netlink, plan: Plan) -> dict[Key, str]:
    """Fill the sets that are wanted, then let the rules look into them; their names."""
    sets = transaction.wanted_sets(plan.desired)
    changed = frozenset(change.key for change in plan.set_changes)
    staged: dict[Key, str] = {}
    for held in _looks(netlink):
        names = _standing(plan.desired, held, changed) | _present(staged, held)
        if held.flags:
            # Asleep it fences nothing, and the kernel binds no chain in waking it up.
            _transacted(netlink, [transaction.no_table()], held)
        elif sets.keys() - names.keys():
            staged |= _stage(netlink, sets, held, names)
        elif _transacted(netlink, transaction.replacement(plan.desired, held, names), held):
            return names
    return {}


def _standing(desired: Ruleset, held: Look, changed: frozenset[SetKey]) -> dict[Key, str]:
    """The sets that are right as they are; surroundings are always made anew, they are small."""
    in_use = inventory.sets_in_use(held)
    return {key: in_use[key] for key in desired.sets if key in in_use and key not in changed}


def _present(staged: Mapping[Key, str], held: Look) -> dict[Key, str]:
    """Those sets filled beforehand that are still there."""
    present = {each.name for each in held.sets}
    return {key: name for key, name in staged.items() if name in present}


def _stage(
    netlink: Netlink, sets: Mapping[Key, PrefixSet], held: Look, standing: Mapping[Key, str]
) -> dict[Key, str]:
    """Fill all sets that are to be made, under names that are free, in several transactions."""
    names = {key: transaction.free_name(key, held) for key in sets if key not in standing}
    batch = [transaction.new_table()]
    for key, name in names.items():
        for request in transaction.new_set(key, name, sets[key]):
            if not netlink.room_for(batch_size([*batch, request])):
                netlink.transact(batch)
                batch = []
            batch.append(request)
    netlink.transact(batch)
    return names
