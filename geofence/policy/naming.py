"""Exceptions by the names that a person gives on the command line."""

from __future__ import annotations

from geofence.errors import UsageError
from geofence.model.policy import NamedException, Policy
from geofence.policy.problems import nearest, quoted

LISTING = "geofence status"
"""The command that lists all exceptions and groups."""


def exceptions_named(policy: Policy, name: str) -> tuple[NamedException, ...]:
    """The exception of that name, or all exceptions of the group of that name.

    Raises:
        UsageError: nothing is called so.
    """
    found = tuple(
        exception for exception in policy.exceptions if name in (exception.name, exception.group)
    )
    if found:
        return found
    names = [exception.name for exception in policy.exceptions]
    groups = [exception.group for exception in policy.exceptions if exception.group]
    guesses = nearest(name, (*names, *groups))
    guess = f"; did you mean {guesses[0]}?" if guesses else "."
    raise UsageError(
        f"No exception or group is called {quoted(name)}{guess} '{LISTING}' lists them all."
    )
