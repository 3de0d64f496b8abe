"""The shield that belongs to the newest generation on this host, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from geofence.apply import plan_for
from geofence.errors import BackendError, RulesError
from geofence.model.generation import Generation
from geofence.model.plan import Observed
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Role, SetKey
from geofence.model.shield import ARMED_SAMPLE, ShieldReason, Why
from geofence.operations.site import Site
from geofence.shield.decision import tables_of
from geofence.shield.design import Design, design
from geofence.shield.host import read_host
from geofence.shield.obstacles import Port, free_mark, interfaces, obstacles, used_marks
from geofence.shield.program import Functions, Maps, program
from geofence.shield.raising import is_bpf_file_system
from geofence.shield.tables import Table
from geofence.state.removal import is_removed


class Wanted(NamedTuple):
    """A shield that can be up."""

    made: Design
    tables: Mapping[Family, Table]
    ports: tuple[Port, ...]
    mark: int
    """A bit of the packets' marks that nobody uses."""
    used_marks: int
    """The bits that others use."""
    generation: int

    @property
    def services(self) -> tuple[str, ...]:
        """Names of its services, in the order in which they are counted."""
        return tuple(service.name for service in self.made.services)

    @property
    def addresses(self) -> frozenset[tuple[Family, int]]:
        """The addresses of this host in its program."""
        own = self.made.addresses.items()
        return frozenset((family, each) for family, held in own for each in held)

    def fingerprint(self, mark: int) -> str:
        """Return what tells it from shields that decide or count otherwise."""
        blocks = {family: table.blocks for family, table in self.tables.items()}
        maps = Maps(dict.fromkeys(blocks, 0), blocks, 0)
        code = program(self.made, maps, Functions(0, 0), sample=ARMED_SAMPLE, mark=mark)
        parts = (code, *(table.content for table in self.tables.values()))
        return sha256(repr(self.made.services).encode() + b"".join(parts)).hexdigest()


def wanted_shield(site: Site) -> Wanted | tuple[ShieldReason, ...]:
    """Return the shield of the newest generation, or why there is none.

    The caller holds the lock of runs, so that the fence stays as it is.
    """
    try:
        if not site.policy().shield_enabled:
            return (ShieldReason(Why.DISABLED),)
    except RulesError as error:
        return (ShieldReason(Why.RULES, str(error).splitlines()[0]),)
    if not is_bpf_file_system(site.bpf_directory):
        return (ShieldReason(Why.BPFFS, str(site.bpf_directory)),)
    try:
        fault = fence_fault(site)
        return (fault,) if isinstance(fault, ShieldReason) else _of(site, *fault)
    except BackendError as error:
        return (ShieldReason(Why.NO_FENCE, str(error)),)


def fence_fault(site: Site) -> ShieldReason | tuple[Generation, Observed]:
    """Return why the fence is not what was applied, or what it is.

    Raises:
        BackendError: the kernel does not tell.
    """
    newest, _ = site.generations.newest()
    if newest is None or is_removed(site.state_directory):
        return ShieldReason(Why.NO_FENCE)
    plan = plan_for(site.choose_again(newest).backend, newest.ruleset)
    if plan.observed.unfenced:
        return ShieldReason(Why.NO_FENCE)
    return (newest, plan.observed) if plan.is_empty else ShieldReason(Why.DRIFT)


def _of(site: Site, newest: Generation, observed: Observed) -> Wanted | tuple[ShieldReason, ...]:
    facts = read_host()
    made = design(newest.ruleset, _timed(site, observed), facts.addresses)
    reasons, mark = obstacles(newest.ruleset, made, facts), free_mark(facts)
    if reasons or mark is None:
        return reasons
    ports = interfaces(newest.ruleset, facts)
    return Wanted(made, tables_of(made), ports, mark, used_marks(facts), newest.number)


def _timed(site: Site, observed: Observed) -> dict[SetKey, PrefixSet]:
    """Return what is allowed until a time: as recorded, and what else the kernel has."""
    found = {key: held for key, held in observed.runtime.items() if key.role is Role.TIMED}
    for key, prefixes in site.timed.load().items():
        recorded = PrefixSet.of(key.family, (each.prefix for each in prefixes))
        found[key] = found[key] | recorded if key in found else recorded
    return found
