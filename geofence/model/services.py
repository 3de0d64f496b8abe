"""Services of the rules, and who may reach them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from geofence.model.frozen import NamedTuple, dataclass
from geofence.model.lists import ListId, ListKind
from geofence.model.ports import Ports


class RepliesFrom(StrEnum):
    """The ``replies_from`` key of a service: whose answers to this host are allowed."""

    ANYONE = "anyone"
    """Those of any host that this host has contacted."""
    EXCEPTIONS = "exceptions"
    """Only those of hosts that are allowed anyway: for rules that name all trunks."""


@dataclass(frozen=True, slots=True)
class Service:
    """A named group of ports that is fenced; no two services share a port."""

    name: str
    ports: tuple[Ports, ...]
    countries: tuple[str, ...] | None = None
    """Upper-case ISO 3166-1 alpha-2 codes, or None; see ``Policy.allowed``."""
    description: str = ""
    helpers: tuple[str, ...] = ()
    """Conntrack helpers (``sip``, ``h323``) whose expected connections are allowed."""
    replies_from: RepliesFrom = RepliesFrom.ANYONE
    observe: bool = False
    """Whether what the fence would drop passes, and is only counted and noted."""
    asns: tuple[int, ...] | None = None
    """AS numbers, or None; see ``Policy.allowed``."""
    regions: tuple[str, ...] = ()
    """Names of the regions, without ``@``, that stand for some of ``countries`` in the rules."""


class Allowed(NamedTuple):
    """Whose addresses may reach a service, as ``[allow]`` or the service itself says."""

    countries: tuple[str, ...] = ()
    """Upper-case ISO 3166-1 alpha-2 codes; not those that have an end."""
    asns: tuple[int, ...] = ()
    regions: tuple[str, ...] = ()
    """Names of the regions that stand for some of the countries in the rules."""

    def written(self, regions: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Return what people call them: ``JP``, ``@nordics``, ``AS4713``.

        A region of which some country is blocked by hand is not whole, and its countries are named.

        Args:
            regions: the countries of each region that the rules define.
        """
        known = {name: set(regions.get(name, ())) for name in self.regions}
        whole = {name: codes for name, codes in known.items() if codes <= set(self.countries)}
        return (
            *(code for code in self.countries if not any(code in each for each in whole.values())),
            *(f"@{name}" for name in whole),
            *(f"AS{number}" for number in self.asns),
        )

    @property
    def lists(self) -> tuple[ListId, ...]:
        """The lists that have these addresses, each once."""
        countries = (ListId(ListKind.COUNTRY, code) for code in self.countries)
        asns = (ListId(ListKind.ASN, str(number)) for number in self.asns)
        return tuple(dict.fromkeys((*countries, *asns)))
