"""Changes of the table: which steps, in which order, and again if others came in between."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from geofence.backends.nftables import batches, messages
from geofence.backends.nftables.connection import (
    Attempts,
    BatchMessage,
    Changed,
    NftConnection,
)
from geofence.backends.nftables.forms import Forms
from geofence.backends.nftables.kernel_sets import Key, PartKey, is_runtime, key_of, whole_of
from geofence.backends.nftables.messages import SetContent
from geofence.backends.nftables.objects import Names
from geofence.backends.nftables.rules import Compiler
from geofence.backends.nftables.snapshot import Snapshot, read_snapshot
from geofence.backends.nftables.traces import TABLE
from geofence.backends.nftables.written import Written
from geofence.errors import BackendError, UntidyError
from geofence.model.frozen import replace
from geofence.model.plan import Plan
from geofence.translation import tr


def change_table(netlink: NftConnection, plan: Plan, forms: Forms, compiler: Compiler) -> Written:
    """Bring the table to what the plan desires; see ``batches`` for the steps.

    Args:
        netlink: the connection.
        plan: what is desired.
        forms: what its sets look like in the kernel.
        compiler: of its rules.

    Returns:
        What the table holds now.

    Raises:
        UntidyError: the previous fence could not be removed; the fence is the desired one.
        BackendError: the kernel refused, or other programs changed nftables all the time; the
            fence is unchanged.
    """
    step = _TableChange(netlink, plan, forms, compiler)
    try:
        names = step.begin()
        while names is None or not (step.is_alone or (step.replace(names) and step.clear(names))):
            names = step.add()
    except BackendError as error:
        if step.is_in_force:
            raise UntidyError(str(error)) from error
        raise
    return step.written(names)


def remove_table(netlink: NftConnection) -> bool:
    """Remove the table, in one transaction; whether there was one."""
    attempts = _Attempts(netlink)
    while (held := read_snapshot(netlink, elements=False)).exists:
        if attempts.carry_out([messages.delete_table()], held):
            return True
    return False


class _Attempts:
    """Transactions that are made for a snapshot, again if others have changed the table."""

    def __init__(self, netlink: NftConnection) -> None:
        self._netlink = netlink
        self._attempts = Attempts()

    def carry_out(self, made: Sequence[BatchMessage], held: Snapshot) -> bool:
        """Do what was made for a snapshot; false, and nothing done, if it is no longer true.

        Raises:
            BackendError: it never was, since other programs changed nftables all the time.
        """
        try:
            self._netlink.transact(made, held.generation)
        except Changed:
            self.wait()
            return False
        return True

    def wait(self) -> None:
        """Give others time to be done."""
        if not self._attempts.wait():
            raise BackendError(
                tr(
                    "Other programs changed nftables all the time while geofence changed the table "
                    "inet {table} ({attempts} attempts). Run it again when they are done.",
                    table=TABLE,
                    attempts=self._attempts.failed,
                )
            )


class _TableChange:
    """The steps; each reads a snapshot of its own, and says whether what it builds on was there."""

    def __init__(
        self, netlink: NftConnection, plan: Plan, forms: Forms, compiler: Compiler
    ) -> None:
        self._netlink = netlink
        self._attempts = _Attempts(netlink)
        self._desired = plan.desired
        self._sets = forms.wanted(plan.desired)
        self._compiler = compiler
        self._changed = frozenset(change.key for change in plan.set_changes)
        self._contents: dict[Key, SetContent] = {}
        self._staged: dict[Key, str] = {}
        self.is_in_force = False
        """Whether packets meet what is desired."""
        self.is_alone = False
        """Whether nothing of a previous fence is there."""

    def begin(self) -> Names | None:
        """Make the fence where there is no table: sets, then the rules that look into them.

        What is searched is complete when the first rule comes, so no gate is needed, and nothing
        has to be removed.

        Returns:
            Its names; None if there is a table, or others came in between.
        """
        held = self._heads()
        if held.exists:
            return None
        self._encode(self._sets)
        names = batches.free_names(self._desired, held, {}, self._sets)
        contents = [self._contents[key] for key in self._sets]
        filled = batches.filled_sets(names, contents)
        compiled = self._compiler.compiled(self._desired, names)
        rules = batches.replacement(self._desired, held, names, compiled)
        has_room = self._netlink.room_for(filled) and self._netlink.room_for(rules)
        if not (has_room and self._attempts.carry_out(filled, held)):
            return None
        self._staged = dict(names.sets)
        behind = replace(held, generation=held.generation + 1)
        self.is_alone = self.is_in_force = self._enter(rules, behind)
        return names if self.is_alone else None

    def _enter(self, rules: Sequence[BatchMessage], held: Snapshot) -> bool:
        """Make the first rules; if the kernel refuses them, it is left as it was."""
        try:
            return self._attempts.carry_out(rules, held)
        except BackendError:
            with suppress(BackendError, Changed):
                self._netlink.transact([messages.delete_table()], held.generation)
            raise

    def written(self, names: Names) -> Written:
        """Return what was written under these names."""
        compiled = self._compiler.compiled(self._desired, names)
        return Written(self._desired, names, self._sets, compiled)

    def add(self) -> Names:
        """Make all that is new, in one transaction if possible, and return its names."""
        self.is_in_force = self.is_alone = False
        while (names := self._added(read_snapshot(self._netlink, elements=False))) is None:
            pass
        return names

    def _added(self, held: Snapshot) -> Names | None:
        """Make one attempt; None if another snapshot is needed."""
        standing = {} if held.flags else self._standing(held)
        missing = [key for key in self._sets if key not in standing]
        if self._encode(missing) and held.exists:
            return None  # that took long enough for others to change something
        contents = [_carried(self._contents[key], held) for key in missing]
        if held.flags:
            return self._made_anew(held, contents)
        names = batches.free_names(self._desired, held, standing, missing)
        if not missing:
            return names
        compiled = self._compiler.compiled(self._desired, names)
        made = batches.addition(self._desired, held, names, contents, compiled)
        if batches.can_stay(held) and self._netlink.room_for(made):
            self.is_in_force = self._attempts.carry_out(made, held)
            return names if self.is_in_force else None
        self._stage(held, names, contents)
        return None

    def _made_anew(self, held: Snapshot, contents: Sequence[SetContent]) -> Names | None:
        """Do the same if the table itself has to go; what does not fit follows it.

        Runtime sets keep their elements: they are put back as the kernel listed them.
        """
        names = batches.free_names(self._desired, Snapshot(0), {}, self._sets)
        kept = [_kept(content, held) for content in contents]
        compiled = self._compiler.compiled(self._desired, names)
        made = batches.anew(self._desired, held, names, kept, compiled)
        if not self._netlink.room_for(made):
            self._attempts.carry_out([messages.delete_table()], held)
            return None
        self.is_in_force = self._attempts.carry_out(made, held)
        return names if self.is_in_force else None

    def replace(self, names: Names) -> bool:
        """Remove the previous rules and chains; false if the new sets are gone."""
        while self._holds(names, held := self._heads()):
            compiled = self._compiler.compiled(self._desired, names)
            made = batches.replacement(self._desired, held, names, compiled)
            if self._attempts.carry_out(made, held):
                self.is_in_force = True
                return True
        return False

    def clear(self, names: Names) -> bool:
        """Remove the previous sets; false if the new ones are gone."""
        while self._holds(names, held := self._heads()):
            made = batches.unused_sets(held, names)
            if not made or self._attempts.carry_out(made, held):
                return True
        return False

    def _standing(self, held: Snapshot) -> dict[Key, str]:
        """Return the sets that are right as they are, and those filled beforehand that are there.

        Prefilters are always made anew, they are small.
        """
        if not held.exists:
            return {}
        # Imported here, as below: at boot there is nothing to be understood.
        from geofence.backends.nftables.observe import in_force, sets_in_use

        in_use = sets_in_use(in_force(held))
        present = {each.name for each in held.sets}
        staged = {key: name for key, name in self._staged.items() if name in present}
        stays = {key: in_use[key] for key in self._sets if key in in_use}
        return {key: name for key, name in stays.items() if self._is_right(key, in_use)} | staged

    def _is_right(self, key: Key, in_use: Collection[Key]) -> bool:
        """Whether a set that is in use can stay.

        Of noted sources, a part stays also where another one is missing. A declared set stays in
        the form that it is in, all of it, or not at all.
        """
        whole = whole_of(key)
        if whole is None:
            return False
        if isinstance(key, PartKey):
            return True
        form, wanted = (
            {each for each in keys if whole_of(each) == whole} for keys in (in_use, self._sets)
        )
        return whole not in self._changed and form == wanted

    def _encode(self, keys: Iterable[Key]) -> bool:
        """Encode the contents of sets that are not ready to be sent; whether there were any."""
        new = [key for key in keys if key not in self._contents]
        self._contents |= {key: SetContent.of(key, self._sets[key]) for key in new}
        return bool(new)

    def _stage(self, held: Snapshot, names: Names, contents: Sequence[SetContent]) -> None:
        """Fill sets that no rule looks into yet, in as many transactions as the socket takes."""
        generation = held.generation
        batch = [messages.new_table()]
        try:
            for content in contents:
                for request in messages.new_set(names.sets[content.key], content):
                    if not self._netlink.room_for([*batch, request]):
                        self._netlink.transact(batch, generation)
                        generation += 1
                        batch = []
                    batch.append(request)
            self._netlink.transact(batch, generation)
        except Changed:
            self._attempts.wait()
        else:
            self._staged |= {content.key: names.sets[content.key] for content in contents}

    def _heads(self) -> Snapshot:
        """Read the table without its rules: all of them are made anew."""
        return read_snapshot(self._netlink, elements=False, rules=False)

    def _holds(self, names: Names, held: Snapshot) -> bool:
        """Whether the sets are still there; if not, another program has flushed them."""
        there = set(names.sets.values()) <= {each.name for each in held.sets}
        if not there:
            self._attempts.wait()
        return there


def _carried(content: SetContent, held: Snapshot) -> SetContent:
    """Return a part of noted sources with what an older geofence's one set for all parts held."""
    key = content.key
    if not isinstance(key, PartKey):
        return content
    name = next((each.name for each in held.sets if key_of(each) == key.whole), None)
    if name is None:
        return content
    from geofence.backends.nftables.noted import pieces_of_part

    return replace(content, pieces=pieces_of_part(key.family, held.elements[name], key.part))


def _kept(content: SetContent, held: Snapshot) -> SetContent:
    """Return what a set that is made anew is to hold: a runtime set, what it holds now."""
    if not is_runtime(content.key):
        return content
    from geofence.backends.nftables.observe import sets_in_use

    name = sets_in_use(held).get(content.key)
    return content if name is None else replace(content, pieces=held.elements[name])
