"""One target of an installation: its engine, its cluster, and a state directory of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from geofence.cluster.client import Cluster
from geofence.errors import UsageError
from geofence.model.chosen import ChosenBackend, ChosenBy
from geofence.model.policy import Policy
from geofence.model.target import Target
from geofence.operations.site import Site
from geofence.spelling import nearest, quoted
from geofence.state.applied_to import AppliedTo
from geofence.state.files import ensure_private_directory
from geofence.state.installation import make_installation, read_installation
from geofence.state.lock import exclusive
from geofence.targets import registry
from geofence.targets.interface import Engine
from geofence.targets.objects import Resource
from geofence.translation import join, tr


class Keeper(NamedTuple):
    """An installation, as its objects in a cluster name it."""

    host: str
    """When it first wrote the object; it may have another name by now."""
    number: str
    """See ``state.installation``; empty for none."""

    @classmethod
    def parse(cls, text: str) -> Keeper:
        """Read the annotation of an object; empty for none."""
        return cls(*text.rpartition("/")[::2])

    def __str__(self) -> str:
        return f"{self.host}/{self.number}"


@dataclass(frozen=True, slots=True)
class TargetSite:
    """One target."""

    main: Site
    """Rules, lists and bans are those of the installation."""
    policy: Policy
    target: Target
    engine: Engine

    @property
    def own(self) -> Site:
        """The target's own generations, outcomes and lock."""
        directory = self.main.state_directory / "targets" / self.target.name
        return replace(self.main, state_directory=directory, target=self.target.name)

    @property
    def chosen(self) -> ChosenBackend:
        """Return what holds the fence, as reports have it."""
        return ChosenBackend(self.target.kind, ChosenBy.TARGET, target=self.target.name)

    def applied_to(self, server: str) -> AppliedTo:
        """Return where a run applies the fence.

        Args:
            server: URL of the API server.
        """
        return AppliedTo(server, self.target.namespace, str(self.target.kind))

    @property
    def keeper(self) -> Keeper:
        """Return who keeps the fence in the cluster: this installation."""
        return Keeper(os.uname().nodename, read_installation(self.main.state_directory))

    def resource(self, kind: str) -> Resource:
        """Return how the API serves a kind of the engine's objects."""
        return next(each for each in self.engine.resources if each.kind == kind)

    def connected(self) -> Cluster:
        """Return a client of the cluster, which is a context manager.

        Raises:
            ClusterError: there is no client, or there are no usable credentials.
        """
        return Cluster(self.target, self.main.patience)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the target's lock, with leftovers of killed runs removed.

        Raises:
            BusyError: another run holds it.
            StateError: the state directory cannot be used.
        """
        own = self.own
        for directory in (self.main.state_directory, own.state_directory.parent):
            ensure_private_directory(directory)
        ensure_private_directory(own.state_directory)
        make_installation(self.main.state_directory)
        with exclusive(own.state_directory, own.lock_seconds):
            own.tidy()
            yield


def target_site(site: Site, name: str) -> TargetSite:
    """Return the target of a name.

    Raises:
        RulesError: the rules do not load.
        UsageError: they have no such target.
    """
    policy = site.policy()
    for target in policy.targets:
        if target.name == name:
            return TargetSite(site, policy, target, registry.load(target.kind))
    known = [target.name for target in policy.targets]
    guess = nearest(name, known)
    raise UsageError(
        join(
            " ",
            (
                tr("The rules have no target {name}.", name=quoted(name)),
                *(tr("Did you mean {guess}?", guess=each) for each in guess),
                tr("Targets: {names}.", names=", ".join(known) or tr("none")),
            ),
        )
    )
