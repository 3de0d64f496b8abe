"""Evidence of the country that a host's phones call from."""

from __future__ import annotations

from enum import StrEnum


class Evidence(StrEnum):
    """What makes a country likely, the strongest first. The values are stable."""

    CONTACTS = "contacts"
    """Those who are registered with the running Asterisk."""
    HOST = "host-address"
    """This host's public address."""
    ZONE = "time-zone"
    LOCALE = "locale"
    PEERS = "peers"
    """Those who talk to the fenced ports now."""
    OPERATOR = "ssh"
    """The operator's own address."""
