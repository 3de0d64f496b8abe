"""Loading of a policy from rules files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache, reduce
from pathlib import Path

from geofence.model.frozen import replace
from geofence.model.policy import Origin, Policy
from geofence.policy.files import RulesFile, passed_over, read_rules
from geofence.policy.leftovers import (
    find_twins,
    stale_switches,
    without,
    without_lost_services,
    without_moot_ends,
    without_undefined,
)
from geofence.policy.mistakes import Problems
from geofence.policy.owned import is_owned
from geofence.policy.schema import read_policy
from geofence.policy.toml_tree import Table, merged, parse


def load_policy(
    directories: Sequence[Path],
    *,
    all_must_exist: bool = False,
    by_hand: bool = True,
    drafts: Collection[RulesFile] = (),
    without: Collection[str] = (),
) -> Policy:
    """Return the policy that the drop-ins in some directories make together.

    Every ``*.toml`` of the first directory in lexical order, then those of the next: a later file
    adds tables and keys or gives keys another value.

    Args:
        directories: that of the shipped rules, which must exist, then others.
        all_must_exist: whether the others must exist, too.
        by_hand: whether the file of ``allow`` and ``revoke`` counts.
        drafts: files of the last directory that count in place of those on disk, by name.
        without: names of files of the last directory that do not count, and neither does what
            others say of what only these define.

    Raises:
        RulesError: rules cannot be read, cannot be trusted, or are wrong; it has a line for each
            mistake. Contents are checked only once all files can be read.
    """
    problems = Problems()
    files = read_rules(directories, problems, all_must_exist=all_must_exist)
    files = _with_drafts(files, directories[-1], drafts, without)
    counting = (each for each in files if by_hand or not is_owned(each.name))
    policy = combined(counting, problems, whole=not without)
    others = (each for directory in directories[1:] for each in passed_over(directory))
    return replace(policy, passed_over=tuple(others))


def _with_drafts(
    files: tuple[RulesFile, ...],
    directory: Path,
    drafts: Collection[RulesFile],
    without: Collection[str],
) -> tuple[RulesFile, ...]:
    """Return the files in their order, with drafts in place of those of their names."""
    if not drafts and not without:
        return files
    own = {Path(each.name).name: each for each in files if Path(each.name).parent == directory}
    own |= {each.name: RulesFile(str(directory / each.name), each.text) for each in drafts}
    others = (each for each in files if Path(each.name).parent != directory)
    return (*others, *(own[name] for name in sorted(own) if name not in without))


def combined(files: Iterable[RulesFile], problems: Problems, *, whole: bool = True) -> Policy:
    """Return the policy that some drop-ins make together; later ones override earlier ones.

    Args:
        files: the drop-ins.
        problems: the mistakes so far; told about others.
        whole: whether all files are there; else what is said of exceptions and services that none
            defines does not count.

    Raises:
        RulesError: there are mistakes; it has a line for each.
    """
    known = tuple(files)
    return _remembered(known, whole) if problems.none else _combined(known, problems, whole=whole)


@lru_cache(maxsize=4)
def _remembered(files: tuple[RulesFile, ...], whole: bool) -> Policy:
    """Return what ``combined`` does; one run asks for the same several times."""
    return _combined(files, Problems(), whole=whole)


def _combined(files: tuple[RulesFile, ...], problems: Problems, *, whole: bool) -> Policy:
    trees = [(file.name, parse(file.text, file.name, problems)) for file in files]
    problems.raise_any()
    read = [(name, tree) for name, tree in trees if tree]
    others = _together(tree for name, tree in read if not is_owned(name))
    if not whole:
        read = [(name, without_undefined(tree, others)) for name, tree in read]
    gone: dict[str, bool] = {}
    for number, (name, tree) in enumerate(read):
        if is_owned(name):
            stale = stale_switches(tree, others)
            gone |= stale
            find_twins(tree, others, problems)
            current = without_moot_ends(without(tree, stale), others)
            read[number] = (name, without_lost_services(current, others))
    problems.raise_any()
    rules = _together(tree for _, tree in read)
    policy = read_policy(rules, problems)
    problems.raise_any()
    return replace(policy, stale_switches=gone)


def _together(trees: Iterable[Table]) -> Table:
    return reduce(merged, trees, Table(Origin("", 1)))
