"""The panel as a browser, and as an attacker's page or program, meets it."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from geofence.lab.network import PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from tests.chaos.ground import Ground
from tests.cli.machine import ended
from tests.panel.client import Panel

STRANGER = "203.0.113.7"
NOBODY = 65534


def gets_in(panel: Panel) -> bool:
    probe = Probe(ip_address(STRANGER), PBX[Family.IPV4], Transport.UDP, 5060)
    return panel.ground.lab.fire([probe]) == ["pbx"]


def planned(panel: Panel, **values: str) -> tuple[dict[str, str], str]:
    """Ask what an action would do: the form that would do it, and the text."""
    form = {"token": panel.token(), **values}
    text = panel.ask("/plan", form).text
    found = re.search(r'name="plan" value="(\w+)"', text)
    return ({**form, "plan": found[1]} if found else form), text


def test_the_link_opens_the_panel_once(read_only: Panel) -> None:
    assert read_only.ask("/").code == 403
    reply = read_only.enter()
    assert reply.code == 303
    assert "HttpOnly" in reply.headers["set-cookie"]
    assert "samesite=strict" in reply.headers["set-cookie"].lower()
    page = read_only.ask("/")
    assert page.code == 200
    assert "8.1.1.1" in page.text
    read_only.cookie = ""
    assert read_only.enter().code == 403


def test_guessed_links_and_cookies_are_refused(read_only: Panel) -> None:
    assert read_only.ask("/enter?link=guessed").code == 403
    read_only.cookie = "guessed"
    assert read_only.ask("/").code == 403


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_cookie_that_another_user_got_hold_of_is_refused(read_only: Panel) -> None:
    """Browsers send a cookie to all ports of a host, so to servers of its other users, too."""
    read_only.enter()
    read_only.user = NOBODY
    assert read_only.ask("/").code == 403
    read_only.user = os.getuid()
    assert read_only.ask("/").code == 200


def test_links_that_other_sites_guess_do_not_use_up_the_right_one(read_only: Panel) -> None:
    for _ in range(20):
        assert read_only.ask("/enter?link=guessed", Sec_Fetch_Site="cross-site").code == 403
    assert read_only.enter().code == 303


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost.evil.example:80", ""])
def test_a_name_that_somebody_points_here_is_refused(read_only: Panel, host: str) -> None:
    read_only.enter()
    assert read_only.ask("/", Host=host).code == 421
    assert read_only.ask("/metrics", Host=host).code == 421


def test_it_is_reached_by_the_name_localhost(read_only: Panel) -> None:
    read_only.enter()
    name = read_only.host.replace("127.0.0.1", "localhost")
    assert read_only.ask("/", Host=name).code == 200


def test_other_sites_cannot_make_it_act(acting: Panel) -> None:
    acting.enter()
    form = {"token": acting.token(), "verb": "allow", "what": STRANGER}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert acting.ask("/plan", form, **headers).code == 403
        assert acting.ask("/do", form, **headers).code == 403
    assert acting.ask("/plan", {**form, "token": "guessed"}).code == 403
    assert acting.ask("/plan", {"verb": "allow", "what": STRANGER}).code == 403
    assert not gets_in(acting)


def test_pages_let_a_browser_do_nothing_else(read_only: Panel) -> None:
    read_only.enter()
    for path in ("/", "/style.css", "/nothing", "/metrics"):
        headers = read_only.ask(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    assert "<script" not in read_only.ask("/").text
    assert " style=" not in read_only.ask("/").text


def test_without_actions_it_changes_nothing(read_only: Panel) -> None:
    read_only.enter()
    assert "Read-only" in read_only.ask("/").text
    form = {"token": "", "verb": "allow", "what": STRANGER}
    assert read_only.ask("/plan", form).code == 403
    assert read_only.ask("/do", form).code == 403
    assert not gets_in(read_only)


def test_an_allow_is_planned_then_done_and_a_packet_gets_in(acting: Panel) -> None:
    acting.enter()
    form, text = planned(acting, verb="allow", what=STRANGER)
    assert "203.0.113.7" in text
    assert not gets_in(acting)
    assert acting.ask("/do", form).code == 200
    assert gets_in(acting)
    form, text = planned(acting, verb="revoke", what=STRANGER)
    assert acting.ask("/do", form).code == 200
    assert not gets_in(acting)


def test_what_was_not_shown_is_not_done(acting: Panel) -> None:
    acting.enter()
    form, _ = planned(acting, verb="allow", what=STRANGER)
    changed = {**form, "what": "203.0.113.0/24"}
    assert acting.ask("/do", changed).code == 409
    acting.ground.machine.ok("allow", "office")
    more = acting.ground.machine.rule("66-more.toml", '[allow]\ncountries = ["JP", "DE"]\n')
    assert acting.ask("/do", form).code == 409
    assert acting.ask("/do", {**form, "plan": ""}).code in (200, 409)
    assert not gets_in(acting)
    more.unlink()
    acting.ground.machine.ok("revoke", "office")


def test_a_plan_is_for_one_address_also_where_it_is_written_like_a_clock(acting: Panel) -> None:
    acting.enter()
    form, _ = planned(acting, verb="ban", what="2001:db9:10:20::1")
    assert acting.ask("/do", {**form, "what": "2001:db9:10:30::1"}).code == 409
    assert acting.ground.machine.ok("bans", "--json").json == []


def test_only_the_pending_change_that_was_shown_is_confirmed(acting: Panel) -> None:
    machine = acting.ground.machine
    more = machine.rule("66-more.toml", '[service.sip]\nports = ["5060/udp", "5070/udp"]\n')
    machine.ok("apply", "--confirm-within", "60s")
    acting.enter()
    form, _ = planned(acting, verb="confirm")
    machine.ok("confirm")
    more.write_text('[service.sip]\nports = ["5060/udp", "5080/udp"]\n')
    machine.ok("apply", "--confirm-within", "60s")
    assert acting.ask("/do", form).code == 409
    assert machine.ok("status", "--json").json["probation"] is not None
    machine.ok("confirm")
    more.unlink()
    machine.ok("apply")


@pytest.mark.parametrize("reason", ["geofence", "geofence ban", "geofence allow 192.0.2.66 now"])
def test_a_text_that_looks_like_a_command_is_no_button(acting: Panel, reason: str) -> None:
    acting.ground.machine.ok("ban", STRANGER, "--reason", reason)
    acting.enter()
    page = acting.ask("/")
    acting.ground.machine.ok("unban", STRANGER)
    assert page.code == 200
    bans = page.text.split('id="bans"')[1].split("</section>")[0]
    assert reason in bans
    assert "<button" not in bans


def test_guards_are_asked(acting: Panel) -> None:
    acting.enter()
    for what, why in (("127.0.0.1", "this host"), ("not an address", "address")):
        reply = acting.ask("/plan", {"token": acting.token(), "verb": "ban", "what": what})
        assert reply.code == 409
        assert why in reply.text
        assert 'name="plan"' not in reply.text
    reply = acting.ask("/plan", {"token": acting.token(), "verb": "allow", "what": "--help"})
    assert reply.code == 409


def test_a_ban_and_its_end(acting: Panel) -> None:
    acting.enter()
    form, text = planned(acting, verb="ban", what=STRANGER, **{"for": "7d"}, reason="rude")
    assert "7d" in text
    assert acting.ask("/do", form).code == 200
    bans = acting.ground.machine.ok("bans", "--json").json
    assert [each["prefix"] for each in bans] == [f"{STRANGER}/32"]
    form, _ = planned(acting, verb="unban", what=STRANGER)
    assert acting.ask("/do", form).code == 200
    assert acting.ground.machine.ok("bans", "--json").json == []


def test_a_pending_change_is_confirmed_and_the_lists_are_refreshed(acting: Panel) -> None:
    machine = acting.ground.machine
    more = machine.rule("66-more.toml", '[service.sip]\nports = ["5060/udp", "5070/udp"]\n')
    machine.ok("apply", "--confirm-within", "60s")
    acting.enter()
    form, _ = planned(acting, verb="confirm")
    assert acting.ask("/do", form).code == 200
    assert machine.ok("status", "--json").json["probation"] is None
    more.unlink()
    form, _ = planned(acting, verb="refresh")
    assert acting.ask("/do", form).code == 200


def test_rows_are_sorted_filtered_and_paged(read_only: Panel) -> None:
    read_only.enter()

    def sources(query: str) -> list[str]:
        text = read_only.ask(f"/?{query}").text
        part = text.split('id="sources"')[1].split("</section>")[0]
        return re.findall(r"<td[^>]*>\s*((?:\d+\.){3}\d+)\s*</td>", part)

    assert sources("")[0] == "8.1.1.1"
    assert len(sources("")) == 100
    assert len(sources("sources-page=1")) == 51
    assert sources("sources-words=singapore") == ["8.1.1.1"]
    assert sources("sources-sort=4&sources-order=up")[0] == "45.9.7.1"
    assert sources("sources-sort=nonsense&sources-page=999999")


def test_long_and_odd_requests_are_refused(acting: Panel) -> None:
    acting.enter()
    form = {"token": acting.token(), "verb": "allow", "what": "x" * 9000}
    assert acting.ask("/plan", form).code == 403
    assert acting.ask("/plan", {"token": acting.token(), "verb": "remove"}).code == 400
    assert acting.ask("/plan", {"token": acting.token(), "verb": "view"}).code in (400, 409)
    assert acting.ask("/" + "a" * 5000).code == 404


def test_metrics_need_no_session(read_only: Panel) -> None:
    reply = read_only.ask("/metrics")
    assert reply.code == 200
    assert 'geofence_fence_up{family="ipv4"} 1.0' in reply.text


def processes(panel: Panel) -> list[tuple[int, int]]:
    """The user and the number of each process of the panel."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                command = (directory / "cmdline").read_bytes()
                owner = (directory / "status").read_text().split("Uid:")[1].split()[0]
                parent = (directory / "status").read_text().split("PPid:")[1].split()[0]
            except (OSError, IndexError):
                continue
            if b"panel" in command and str(panel.process.pid) in (directory.name, parent):
                found.append((int(owner), int(directory.name)))
    return sorted(found)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_what_talks_to_the_browser_has_no_privilege(read_only: Panel) -> None:
    read_only.enter()
    (root, _), (user, number) = processes(read_only)
    assert root == 0
    assert user != 0
    status = Path(f"/proc/{number}/status").read_text()
    for capability in ("CapPrm", "CapEff"):
        assert int(status.split(f"{capability}:")[1].split()[0], 16) == 0
    assert status.split("Groups:")[1].split("\n")[0].strip() == ""


def test_it_ends_when_the_privileged_process_is_killed(read_only: Panel) -> None:
    read_only.enter()
    read_only.process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    port = int(read_only.host.split(":")[1])
    while _listens(read_only, port):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _listens(panel: Panel, port: int) -> bool:
    with panel.ground.lab.pbx.entered(), socket.socket() as link:
        return link.connect_ex(("127.0.0.1", port)) == 0


def test_a_port_that_is_taken_is_told(visited: Ground, read_only: Panel) -> None:
    port = read_only.host.split(":")[1]
    done = ended(visited.machine.start("panel", "--port", port))
    assert done.code == 2
    assert port in done.err


@pytest.fixture
def short_path() -> Iterator[Path]:
    """An empty directory in which sockets may lie: their paths have 107 characters at most."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        yield Path(made)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_unix_socket_is_for_root_and_gone_at_the_end(
    visited: Ground, short_path: Path, monkeypatch: pytest.MonkeyPatch, ending: signal.Signals
) -> None:
    place, scratch = short_path / "panel.socket", short_path / "scratch"
    scratch.mkdir()
    monkeypatch.setitem(visited.machine.environment, "TMPDIR", str(scratch))
    process = visited.machine.start("panel", "--unix", str(place))
    assert process.stdout
    assert "/enter?link=" in process.stdout.readline()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    done = ended(visited.machine.start("panel", "--unix", str(place)))
    assert done.code == 2
    assert "--unix" in done.err
    process.send_signal(ending)
    process.communicate(timeout=30)
    assert not place.exists()
    assert list(scratch.iterdir()) == []


def test_a_temporary_directory_whose_path_is_too_long_is_named(
    visited: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, scratch = tmp_path / "panel.socket", tmp_path / ("scratch" * 15)
    scratch.mkdir()
    monkeypatch.setitem(visited.machine.environment, "TMPDIR", str(scratch))
    done = ended(visited.machine.start("panel", "--unix", str(place)))
    assert done.code == 2
    assert "TMPDIR" in done.err
    assert not place.exists()
    assert list(scratch.iterdir()) == []


def test_a_link_in_place_of_the_unix_socket_leads_nowhere(visited: Ground, tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    file.write_text("root")
    file.chmod(0o644)
    place = tmp_path / "panel.socket"
    place.symlink_to(file)
    done = ended(visited.machine.start("panel", "--unix", str(place)))
    assert done.code == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
