"""Programs that empty the tables of iptables, whoever's rules are in them."""

from __future__ import annotations

from pathlib import Path

FIREWALLD = Path("/etc/systemd/system/dbus-org.fedoraproject.FirewallD1.service")
"""There while firewalld is enabled: the alias that its unit file asks for."""


def rival() -> str | None:
    """Who on this host would take the fence's rules away again and again, or None.

    firewalld flushes all tables of iptables when it starts, stops and reloads
    (``firewall.core.fw.Firewall.flush``), and tells nobody: its first version whichever of its own
    backends it uses, its second where that is iptables. What counts is that it is enabled and not
    that it runs: at boot, the fence is there before it.
    """
    if not FIREWALLD.is_symlink():
        return None
    return (
        "firewalld is enabled here and flushes iptables, with the fence in it, "
        "whenever it is started or reloaded."
    )
