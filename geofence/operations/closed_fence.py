"""Files that close the fenced ports at boot where geofence itself cannot run."""

from __future__ import annotations

from geofence.backends.closed_fence import iptables_text, nft_text
from geofence.errors import StateError
from geofence.model.notes import Note, problem
from geofence.model.prefixes import Family
from geofence.model.ruleset import Ruleset
from geofence.operations.site import Site
from geofence.state.files import ensure_private_directory, read_if_there, write_atomically

DIRECTORY = "closed"
"""In the state directory; ``geofence-restore.service`` names it."""


def write_fallback(site: Site, ruleset: Ruleset) -> tuple[Note, ...]:
    """Write what ``geofence-restore.service`` loads if it fails; return what went wrong."""
    texts = {
        "nft": nft_text(ruleset),
        "iptables": iptables_text(ruleset, Family.IPV4),
        "ip6tables": iptables_text(ruleset, Family.IPV6),
    }
    directory = site.state_directory / DIRECTORY
    try:
        ensure_private_directory(directory)
        for name, text in texts.items():
            data = text.encode(errors="surrogateescape")  # an interface has any name
            if read_if_there(directory / name) != data:
                write_atomically(directory / name, data)
    except StateError as error:
        return (problem(error),)
    return ()
