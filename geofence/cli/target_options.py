"""Options that describe a target, as ``[target.NAME]`` has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from geofence.cli.arguments import parse_choice
from geofence.errors import UsageError
from geofence.model.target import Labels, TargetKind, as_labels
from geofence.operations.export import Wanted
from geofence.policy.mistakes import Mistake
from geofence.policy.table_reader import rule_name
from geofence.policy.targets import LONGEST_TARGET_NAME, label, namespace
from geofence.translation import tr

_T = TypeVar("_T")


def parse_wanted(
    to: str | None,
    target: str | None,
    in_namespace: str,
    selectors: tuple[Iterable[str], Iterable[str]],
    services: Iterable[str],
) -> Wanted:
    """Return for which target objects are wanted.

    Args:
        to: name of an engine; None: that of the target.
        target: name of a target.
        in_namespace: where the pods are; empty: not said.
        selectors: labels of pods, and of nodes.
        services: names of those that it fences; none: all.

    Raises:
        UsageError: one of them cannot be.
    """
    pods, nodes = selectors
    kind = TargetKind(parse_choice(to, "--to", list(TargetKind))) if to else None
    name = target and _read("--target", _target_name, target)
    where = in_namespace and _read("--namespace", namespace, in_namespace)
    return Wanted(
        kind, name, where, _labels("--pods", pods), _labels("--nodes", nodes), tuple(services)
    )


def _target_name(text: str) -> str:
    return rule_name(text, LONGEST_TARGET_NAME)


def _labels(option: str, texts: Iterable[str]) -> Labels:
    pairs = [_read(option, label, text).partition("=") for text in texts]
    found = as_labels({name: value for name, _, value in pairs})
    if len(found) < len(pairs):
        raise UsageError(tr("{option}: give each label once only.", option=option))
    return found


def _read(option: str, reader: Callable[[str], _T], text: str) -> _T:
    try:
        return reader(text)
    except Mistake as mistake:
        raise UsageError(tr("{option}: {mistake}.", option=option, mistake=mistake)) from mistake
