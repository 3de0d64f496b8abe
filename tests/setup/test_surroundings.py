"""Other firewalls, and ports that Docker publishes."""

from __future__ import annotations

from pathlib import Path

from geofence.model.policy import Protocol
from geofence.setup.surroundings import find_firewalls, has_mta, published
from tests.setup.found import listening

UNIT = "[Service]\nExecStart=/usr/lib/ufw/ufw-init start\n[Install]\nWantedBy=multi-user.target\n"


def test_firewalls_that_are_started_at_boot(tmp_path: Path) -> None:
    units = tmp_path / "usr/lib/systemd/system"
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    for directory in (units, wants):
        directory.mkdir(parents=True)
    for name in ("ufw", "firewalld", "asterisk"):
        (units / f"{name}.service").write_text(UNIT)
    for name in ("ufw", "asterisk"):
        (wants / f"{name}.service").symlink_to(f"/usr/lib/systemd/system/{name}.service")
    assert find_firewalls(tmp_path) == ("ufw",)


def test_ports_that_docker_publishes() -> None:
    sockets = (
        listening(5060, Protocol.UDP, "docker-proxy"),
        listening(5061, Protocol.TCP, "asterisk"),
    )
    assert [each.port for each in published(sockets)] == [5060]


def test_an_mta_that_listens_takes_mail() -> None:
    assert has_mta([listening(25, Protocol.TCP, "exim4")])
