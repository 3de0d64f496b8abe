"""Who is found to flush iptables, by the files of a system."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.backends.ipset import conflicts

FIREWALL = "[Service]\nType=oneshot\nExecStart=/usr/sbin/{name} start\n"
HARMLESS = "#!/bin/sh\niptables -A INPUT -p tcp --dport 22 -j ACCEPT\n"


class System:
    """The files of a system that say what is started at boot."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "run/systemd/system").mkdir(parents=True)

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def link(self, path: str, to: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(to)

    def install(self, name: str, text: str = "") -> None:
        unit = text or FIREWALL.format(name=name)
        self.write(f"usr/lib/systemd/system/{name}.service", unit)

    def enable(self, name: str, target: str = "multi-user.target") -> None:
        link = f"etc/systemd/system/{target}.wants/{name}.service"
        self.link(link, f"/usr/lib/systemd/system/{name}.service")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    monkeypatch.setattr(conflicts, "ROOT", tmp_path)
    return System(tmp_path)


def test_an_empty_system_has_no_conflict(system: System) -> None:
    assert conflicts.rival() is None
    system.install("ssh")
    system.enable("ssh")
    assert conflicts.rival() is None


@pytest.mark.parametrize(
    "name",
    [
        "shorewall",
        "shorewall6",
        "arno-iptables-firewall",
        "csf",
        "ferm",
        "firehol",
        "firewalld",
        "netfilter-persistent",
        "vuurmuur",
    ],
)
def test_a_known_firewall_counts_once_enabled(system: System, name: str) -> None:
    system.install(name)
    assert conflicts.rival() is None
    system.enable(name, "basic.target")
    said = conflicts.rival()
    assert said is not None
    assert said.lower().startswith(f"{name.removesuffix('6')} is enabled here and flushes iptables")


def test_several_are_named_together(system: System) -> None:
    for name in ("shorewall", "shorewall6", "ferm"):
        system.install(name)
        system.enable(name)
    said = conflicts.rival()
    assert said is not None
    assert said.startswith("ferm and Shorewall are enabled here and flush iptables")


def test_a_masked_unit_does_not_count(system: System) -> None:
    system.install("shorewall")
    system.enable("shorewall")
    system.link("etc/rcS.d/S01shorewall", "../init.d/shorewall")
    system.link("etc/systemd/system/shorewall.service", "/dev/null")
    assert conflicts.rival() is None


def test_an_init_script_counts_where_no_unit_hides_it(system: System) -> None:
    system.link("etc/rc2.d/S05shorewall", "../init.d/shorewall")
    assert conflicts.rival() is not None
    system.install("shorewall")
    assert conflicts.rival() is None, "systemd starts the unit, which is not enabled"
    (system.root / "run/systemd/system").rmdir()
    assert conflicts.rival() is not None, "without systemd the script is what is started"


FLUSHES = [
    "iptables-restore < /etc/firewall.rules",
    "iptables-legacy-restore /etc/firewall.rules",
    "iptables -t mangle -F",
    "/sbin/iptables -w -t mangle --flush",
    "iptables -F -t mangle",
    "iptables -t mangle -F PREROUTING",
    "ip6tables -t mangle -F",
    "ip6tables-restore < /etc/firewall6.rules",
    "$IPTABLES -t mangle -F",
    "for t in filter nat mangle; do iptables -t $t -F; iptables -t $t -X; done",
    '"$IPT" -t "$table" -F',
    "ipset flush",
    "ipset destroy; true",
]
KEEPS = [
    "iptables-restore --noflush < /etc/firewall.rules",
    "iptables-restore -n /etc/firewall.rules",
    "iptables-restore -T filter /etc/firewall.rules",
    "iptables -F",
    "iptables -t nat -F",
    "iptables -t mangle -F POSTROUTING",
    "iptables -t mangle -A PREROUTING -j MARK --set-mark 1",
    "ipset destroy mine",
    "# iptables -t mangle -F",
    "iptables-save > /root/saved",
]


@pytest.mark.parametrize("line", FLUSHES)
def test_a_script_of_ones_own_that_flushes_is_found(system: System, line: str) -> None:
    system.install("mine", "[Service]\nExecStart=-/bin/sh /usr/local/sbin/mine.sh --now\n")
    system.enable("mine")
    system.write("usr/local/sbin/mine.sh", HARMLESS)
    assert conflicts.rival() is None
    system.write("usr/local/sbin/mine.sh", HARMLESS + line + "\n")
    said = conflicts.rival()
    assert said is not None
    assert said.startswith("mine is enabled here")


@pytest.mark.parametrize("line", KEEPS)
def test_a_script_that_spares_the_table_mangle_is_not_a_conflict(system: System, line: str) -> None:
    system.install("mine", "[Service]\nExecStart=/usr/local/sbin/mine.sh\n")
    system.enable("mine")
    system.write("usr/local/sbin/mine.sh", HARMLESS + line + "\n")
    assert conflicts.rival() is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/rc.local", "#!/bin/sh -e\niptables-restore /etc/rules\n"),
        ("etc/network/if-pre-up.d/firewall", "#!/bin/sh\niptables-restore </etc/rules\n"),
        ("etc/network/interfaces", "iface eth0 inet dhcp\n  pre-up iptables-restore < /etc/r\n"),
    ],
)
def test_hooks_of_the_network_are_read(system: System, path: str, text: str) -> None:
    system.write(path, text)
    said = conflicts.rival()
    assert said is not None
    assert said.startswith(f"/{path} is enabled here")


def test_a_command_in_the_unit_itself_is_read(system: System) -> None:
    unit = "[Service]\nExecStart=/bin/sh -c 'ipset create a hash:ip; \\\n iptables-restore </r'\n"
    system.install("mine", unit)
    system.enable("mine")
    assert conflicts.rival() is not None


def test_ufw_counts_where_it_takes_all_builtin_chains_for_its_own(system: System) -> None:
    system.write("etc/ufw/ufw.conf", "ENABLED=yes\n")
    system.write("etc/default/ufw", "MANAGE_BUILTINS=no\n")
    assert conflicts.rival() is None
    system.write("etc/default/ufw", "MANAGE_BUILTINS=yes\n")
    assert conflicts.rival() is not None


def test_units_of_geofence_are_not_a_conflict(system: System) -> None:
    system.install("geofence-mine", "[Service]\nExecStart=iptables-restore /x\n")
    system.enable("geofence-mine")
    assert conflicts.rival() is None


def test_binaries_and_unreadable_files_are_skipped(system: System) -> None:
    system.install("mine", "[Service]\nExecStart=/usr/bin/mine 'unfinished\n")
    system.enable("mine")
    (system.root / "usr/bin").mkdir()
    (system.root / "usr/bin/mine").write_bytes(b"\x7fELF iptables-restore")
    (system.root / "etc/rc.local").mkdir()
    assert conflicts.rival() is None
