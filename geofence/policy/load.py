"""Loading of a policy from rules files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path

from geofence.model.policy import Origin, Policy
from geofence.policy.files import RulesFile, passed_over, read_rules
from geofence.policy.mistakes import Problems
from geofence.policy.schema import read_policy
from geofence.policy.switches import is_owned, stale_switches, without
from geofence.policy.toml_tree import Table, merged, parse


def load_policy(directories: Sequence[Path], *, all_must_exist: bool = False) -> Policy:
    """Return the policy that the drop-ins in some directories make together.

    Every ``*.toml`` of the first directory in lexical order, then those of the next: a later file
    adds tables and keys or gives keys another value.

    Args:
        directories: that of the shipped rules, which must exist, then others.
        all_must_exist: whether the others must exist, too.

    Raises:
        RulesError: rules cannot be read, cannot be trusted, or are wrong; it has a line for each
            mistake. Contents are checked only once all files can be read.
    """
    problems = Problems()
    files = read_rules(directories, problems, all_must_exist=all_must_exist)
    policy = combined(files, problems)
    others = (each for directory in directories[1:] for each in passed_over(directory))
    return replace(policy, passed_over=tuple(others))


def combined(files: Iterable[RulesFile], problems: Problems) -> Policy:
    """Return the policy that some drop-ins make together; later ones override earlier ones.

    Args:
        files: the drop-ins.
        problems: the mistakes so far; told about others.

    Raises:
        RulesError: there are mistakes; it has a line for each.
    """
    trees = [(file.name, parse(file.text, file.name, problems)) for file in files]
    problems.raise_any()
    read = [(name, tree) for name, tree in trees if tree]
    others = _together(tree for name, tree in read if not is_owned(name))
    gone = [stale_switches(tree, others) if is_owned(name) else {} for name, tree in read]
    rules = _together(without(tree, stale) for (_, tree), stale in zip(read, gone, strict=True))
    policy = read_policy(rules, problems)
    problems.raise_any()
    return replace(policy, stale_switches=reduce(or_, gone, {}))


def _together(trees: Iterable[Table]) -> Table:
    return reduce(merged, trees, Table(Origin("", 1)))
