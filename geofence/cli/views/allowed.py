"""Whom the rules allow to reach each service, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geofence.operations.report import AllowedTo
from geofence.translation import tr


def allowed_lines(allowed: Iterable[AllowedTo]) -> Iterator[str]:
    """Yield a line for services with the same countries, regions and AS numbers.

    Nothing where the rules name only countries: the table of lists has these.
    """
    known = tuple(allowed)
    if all(each.names == each.countries for each in known):
        return
    for names in dict.fromkeys(each.names for each in known):
        services = [each.service for each in known if each.names == names]
        yield tr(
            "Allowed to {services}: {names}",
            services=", ".join(services),
            names=", ".join(names) or tr("none"),
        )


def allowed_json(allowed: Iterable[AllowedTo]) -> list[dict[str, object]]:
    """Return the same for scripts, for every service."""
    return [
        {
            "service": each.service,
            "names": list(each.names),
            "countries": list(each.countries),
            "asns": list(each.asns),
        }
        for each in allowed
    ]
