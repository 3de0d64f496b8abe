"""From one table to another: what is done, in which order, and again if others came in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from geofence.backends.nftables import inventory, requests, transaction
from geofence.backends.nftables.look import Look, look
from geofence.backends.nftables.netlink import TABLE, Changed, Netlink, Request, batch_size
from geofence.backends.nftables.objects import Key, Names
from geofence.errors import BackendError
from geofence.model.plan import Plan
from geofence.model.prefixes import PrefixSet
from geofence.model.ruleset import Ruleset, SetKey

_ATTEMPTS = 20
_PAUSE = 0.002
"""Seconds by which each further attempt waits longer."""


def switch(netlink: Netlink, plan: Plan) -> None:
    """Bring the table to what the plan desires; see ``transaction`` for the steps."""
    names = _added(netlink, plan)
    _carry_out(netlink, lambda held: transaction.replacement(plan.desired, held, names))
    _carry_out(netlink, lambda held: transaction.former_sets(held, names))


def take_away(netlink: Netlink) -> bool:
    """Take the table away, in one transaction; whether there was one."""
    held = _carry_out(netlink, lambda held: [requests.no_table()] if held.exists else [])
    return held.exists


def _carry_out(netlink: Netlink, made_for: Callable[[Look], list[Request]]) -> Look:
    """Carry out what is made for a fresh look, if anything is; that look."""
    return next(
        held
        for held in _looks(netlink)
        if not (made := made_for(held)) or _transacted(netlink, made, held)
    )


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


def _transacted(netlink: Netlink, made: list[Request], held: Look) -> bool:
    """Carry out what was made for a look; false, and nothing done, if it is no longer true."""
    try:
        netlink.transact(made, held.generation)
    except Changed:
        return False
    return True


def _added(netlink: Netlink, plan: Plan) -> Names:
    """Make all that is new, in one transaction if it can be sent at once; what it is called."""
    sets = transaction.wanted_sets(plan.desired)
    changed = frozenset(change.key for change in plan.set_changes)
    staged: dict[Key, str] = {}
    for held in _looks(netlink):
        standing = _standing(plan.desired, held, changed) | _present(staged, held)
        missing = {key: sets[key] for key in sets if key not in standing}
        names = transaction.free_names(plan.desired, held, standing)
        if held.flags:
            # Asleep it fences nothing, and the kernel binds no chain in waking it up.
            _transacted(netlink, [requests.no_table()], held)
        elif not missing:
            break
        else:
            made = transaction.addition(plan.desired, held, names, missing)
            if not netlink.room_for(batch_size(made)):
                staged |= _stage(netlink, names, missing)
            elif _transacted(netlink, made, held):
                break
    return names


def _standing(desired: Ruleset, held: Look, changed: frozenset[SetKey]) -> dict[Key, str]:
    """The sets that are right as they are; surroundings are always made anew, they are small."""
    in_use = inventory.sets_in_use(held)
    return {key: in_use[key] for key in desired.sets if key in in_use and key not in changed}


def _present(staged: Mapping[Key, str], held: Look) -> dict[Key, str]:
    """Those sets filled beforehand that are still there."""
    present = {each.name for each in held.sets}
    return {key: name for key, name in staged.items() if name in present}


def _stage(netlink: Netlink, names: Names, missing: Mapping[Key, PrefixSet]) -> dict[Key, str]:
    """Fill sets that no rule looks into yet, in as many transactions as the socket takes."""
    batch = [requests.new_table()]
    for key, prefixes in missing.items():
        for request in requests.new_set(key, names.sets[key], prefixes):
            if not netlink.room_for(batch_size([*batch, request])):
                netlink.transact(batch)
                batch = []
            batch.append(request)
    netlink.transact(batch)
    return {key: names.sets[key] for key in missing}
