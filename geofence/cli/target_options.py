"""Options that describe a target, as ``[target.NAME]`` has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from geofence.cli.arguments import parse_choice
from geofence.errors import UsageError
from geofence.model.target import Labels, TargetKind, as_labels
from geofence.operations.export import Wanted
from geofence.policy.mistakes import Mistake
from geofence.policy.table_reader import rule_name
from geofence.policy.targets import LONGEST_TARGET_NAME, label, namespace
from geofence.spelling import quoted
from geofence.targets.objects import Release
from geofence.translation import tr

_RELEASE = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})([.+-][0-9A-Za-z.+-]{1,40})?")
"""``1.17``, ``v1.17.6`` or ``1.18.0-rc.1``."""
_T = TypeVar("_T")


def parse_wanted(
    engine: tuple[str | None, str],
    target: str | None,
    in_namespace: str,
    selectors: tuple[Iterable[str], Iterable[str]],
    services: Iterable[str],
) -> Wanted:
    """Return for which target objects are wanted.

    Args:
        engine: its name; None: that of the target. And its version; empty: not said.
        target: name of a target.
        in_namespace: where the pods are; empty: not said.
        selectors: labels of pods, and of nodes.
        services: names of those that it fences; none: all.

    Raises:
        UsageError: one of them cannot be.
    """
    (to, version), (pods, nodes) = engine, selectors
    kind = TargetKind(parse_choice(to, "--to", list(TargetKind))) if to else None
    name = target and _read("--target", _target_name, target)
    where = in_namespace and _read("--namespace", namespace, in_namespace)
    labels = _labels("--pods", pods), _labels("--nodes", nodes)
    release = _read("--cilium", _release, version) if version else None
    return Wanted(kind, name, where, *labels, tuple(services), release)


def _release(text: str) -> Release:
    found = _RELEASE.fullmatch(text)
    if found is None:
        raise Mistake(tr("{value} is not a version", value=quoted(text)), tr("one such as 1.17"))
    return Release(int(found[1]), int(found[2]))


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
