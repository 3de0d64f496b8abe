"""Jails of a real fail2ban, read as fail2ban reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geofence.doctor.findings import FindingKind as Kind
from geofence.host.fail2ban import parse_dump
from geofence.lab.network import Lab
from tests.chaos.ground import ground
from tests.coexistence.asterisk_log import attempt
from tests.coexistence.banning import MESSAGES, SECURITY, Banning, banning
from tests.coexistence.machine import Debian

ASTERISK = "/etc/asterisk"
STOCK = f"[asterisk]\nenabled = true\nlogpath = {MESSAGES}\n"
ASKING = STOCK + "ignorecommand = /usr/local/bin/geofence exceptions --covering <ip>\n"


@pytest.fixture
def host(debian: Debian, tmp_path: Path, lab: Lab) -> Iterator[Banning]:
    """A PBX with fail2ban on it and nothing in its logs."""
    with ground(tmp_path, "nftables", lab) as pbx, banning(debian, pbx) as made:
        for path in (MESSAGES, SECURITY):
            made.machine.write(path, "")
        yield made


def found(host: Banning) -> dict[Kind, dict[str, Any]]:
    """Return the findings on fail2ban, by kind."""
    said = host.machine.run("sh", "-c", "/usr/local/bin/geofence doctor --offline --json; true")
    told = json.loads(said)
    assert "fail2ban" not in [each["subject"] for each in told["unchecked"]]
    kinds = {Kind(each["kind"]): each for each in told["findings"]}
    return {kind: each for kind, each in kinds.items() if kind.startswith("fail2ban")}


def enable(host: Banning, jail: str) -> None:
    host.machine.write("/etc/fail2ban/jail.d/00-mine.local", f"[sshd]\nenabled = false\n{jail}")


def test_the_stock_jail_asks_nobody(host: Banning) -> None:
    enable(host, STOCK)
    finding = found(host)[Kind.FAIL2BAN_IGNORES_EXCEPTIONS]
    assert finding["subject"] == "asterisk"


def test_a_jail_that_asks_geofence_is_no_fault(host: Banning) -> None:
    enable(host, ASKING)
    assert found(host) == {}


def test_both_streams_in_one_file_count_twice(host: Banning) -> None:
    enable(host, ASKING)
    host.log(MESSAGES, *attempt("203.0.113.7", "x"))
    finding = found(host)[Kind.FAIL2BAN_COUNTS_TWICE]
    assert (finding["subject"], finding["data"]["why"]) == ("asterisk", "both-streams")
    assert finding["data"]["files"] == [MESSAGES]


def test_both_streams_by_logger_conf_count_twice(host: Banning) -> None:
    enable(host, ASKING)
    host.machine.write(f"{ASTERISK}/pjsip.conf", "")
    host.machine.write(f"{ASTERISK}/logger.conf", "[logfiles]\nmessages => notice,security\n")
    assert set(found(host)) == {Kind.FAIL2BAN_COUNTS_TWICE}
    host.machine.write(f"{ASTERISK}/logger.conf", "[logfiles]\nmessages => notice,error\n")
    assert found(host) == {}


def test_what_geofence_ships_is_no_fault_unless_a_line_is_in_two_files(host: Banning) -> None:
    host.install()
    said, reported = attempt("203.0.113.7", "x")
    host.log(MESSAGES, said)
    host.log(SECURITY, reported)
    assert found(host) == {}
    host.log(MESSAGES, reported)
    finding = found(host)[Kind.FAIL2BAN_COUNTS_TWICE]
    assert (finding["subject"], finding["data"]["why"]) == ("geofence-security", "same-line")


def test_a_jail_of_another_service_is_no_business_of_the_fence(host: Banning) -> None:
    host.machine.write("/var/log/auth.log", "")
    host.machine.write(
        "/etc/fail2ban/jail.d/00-mine.local",
        "[sshd]\nenabled = true\nbackend = polling\nlogpath = /var/log/auth.log\n",
    )
    assert found(host) == {}


@pytest.mark.parametrize(
    "text",
    ["", "not python", "['add']", "[[]]", "('set', 'x', 'ignorecommand', 'y')", "[" * 5_000],
)
def test_what_is_no_dump_has_no_jails(text: str) -> None:
    assert parse_dump(text) == ()
