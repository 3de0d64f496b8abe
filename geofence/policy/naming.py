"""Exceptions by the names that a person gives on the command line."""

from __future__ import annotations

from geofence.errors import UsageError
from geofence.model.policy import NamedException, Policy
from geofence.policy.problems import nearest, quoted

_MOST_LISTED = 40
"""Names that an error message lists."""


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
    groups = list(dict.fromkeys(each.group for each in policy.exceptions if each.group))
    guesses = nearest(name, (*names, *groups))
    guess = f"; did you mean {guesses[0]}?" if guesses else "."
    raise UsageError(
        f"No exception or group is called {quoted(name)}{guess} "
        f"The rules have {_listed('group', groups)} and {_listed('exception', names)}."
    )


def _listed(what: str, names: list[str]) -> str:
    """``the groups a and b``."""
    if not names:
        return f"no {what}"
    shown = names[:_MOST_LISTED]
    rest = len(names) - len(shown)
    many = "s" if len(names) > 1 else ""
    return f"the {what}{many} {', '.join(shown)}" + (f" and {rest} more" if rest else "")
