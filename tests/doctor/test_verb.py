"""The verb: what it prints, its exit codes, and what it says when it cannot look."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from geofence.doctor.findings import FindingKind as Kind
from geofence.host.stun import mapped_address
from tests.doctor.ward import PBX, STRANGER, TRANSPORTS, TRUNK, Ward


def test_exit_code_1_says_that_something_is_wrong(pbx: Ward) -> None:
    done = pbx.machine.run("doctor", "--offline", "--asterisk-dir", str(pbx.asterisk))
    # This machine's own files have no units of geofence.
    assert done.code == 1
    assert "Wrong: After the next boot there is no fence.\n" in done.out
    assert "More: docs/troubleshooting.md#boot-unit-missing\n" in done.out


def test_json_has_each_finding_with_evidence_remedy_and_page(pbx: Ward) -> None:
    pbx.hold("asterisk", "5038/tcp")
    done = pbx.machine.run("doctor", "--offline", "--json", "--asterisk-dir", str(pbx.asterisk))
    found = {each["kind"]: each for each in done.json["findings"]}
    one = found[Kind.BOUND_NOT_FENCED]
    assert (one["severity"], one["subject"]) == ("wrong", "5038/tcp")
    assert one["finding"] == "5038/tcp is open to everybody."
    assert one["evidence"] == "asterisk listens on 0.0.0.0, 5038/tcp."
    assert one["page"] == "docs/troubleshooting.md#bound-not-fenced"
    wrong = sum(each["severity"] == "wrong" for each in done.json["findings"])
    assert done.json["wrong"] == wrong


def test_of_many_findings_of_a_kind_a_few_are_shown(pbx: Ward) -> None:
    pbx.hold("asterisk", *(f"{port}/tcp" for port in range(7000, 7012)))
    options = ("doctor", "--offline", "--asterisk-dir", str(pbx.asterisk))
    done = pbx.machine.run(*options)
    assert done.out.count("is open to everybody.") == 5
    more = "and 7 more findings of the kind bound-not-fenced ('geofence doctor --json' shows them)"
    assert more in done.out
    found = pbx.machine.run(*options, "--json").json["findings"]
    assert sum(each["kind"] == Kind.BOUND_NOT_FENCED for each in found) == 12


def test_no_asterisk_is_told_and_not_taken_for_healthy(pbx: Ward) -> None:
    for path in pbx.asterisk.iterdir():
        path.unlink()
    pbx.asterisk.rmdir()
    report = pbx.examine()
    assert [(each.subject, each.why) for each in report.unchecked] == [("asterisk", "not-there")]
    assert report.wrong == ()


def test_a_console_that_does_not_answer_is_told(pbx: Ward) -> None:
    (pbx.directory / "console").write_text("#!/bin/sh\necho 'no socket' >&2\nexit 1\n")
    (unchecked,) = pbx.examine().unchecked
    assert (unchecked.subject, unchecked.why) == ("asterisk-console", "failed")
    assert "no socket" in unchecked.message


def test_what_the_reader_cannot_see_is_told(pbx: Ward) -> None:
    pbx.configure(extconfig="[settings]\npjsip.conf => odbc,asterisk\n")
    told = {(each.subject.value, each.why.value) for each in pbx.examine().unchecked}
    assert ("asterisk", "partly") in told


def test_without_a_fence_that_was_ever_applied_the_ports_of_the_rules_count(pbx: Ward) -> None:
    pbx.machine.ok("remove")
    pbx.hold("asterisk", "5038/tcp")
    assert {Kind.NO_FENCE, Kind.BOUND_NOT_FENCED} <= set(pbx.kinds())


def test_rules_that_nobody_may_read_are_wrong_and_the_rest_is_looked_at(pbx: Ward) -> None:
    pbx.hold("asterisk", "5038/tcp")
    pbx.machine.rules.chmod(0o777)
    try:
        report = pbx.examine()
    finally:
        pbx.machine.rules.chmod(0o755)
    assert {Kind.RULES_BROKEN, Kind.BOUND_NOT_FENCED} <= {each.kind for each in report.findings}


def test_without_privilege_what_needs_it_is_told(pbx: Ward) -> None:
    pbx.machine.wrapper = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    done = pbx.machine.run("doctor", "--offline", "--json", "--asterisk-dir", str(pbx.asterisk))
    told = {(each["subject"], each["why"]) for each in done.json["unchecked"]}
    assert {("fence", "not-root"), ("other-rules", "not-root")} <= told
    assert Kind.NO_FENCE not in {each["kind"] for each in done.json["findings"]}


@contextmanager
def stun_server(pbx: Ward, says: str) -> Iterator[int]:
    """A STUN server on the loopback that says from where packets come."""
    server = pbx.machine.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(20)

    def serve() -> None:
        request, sender = server.recvfrom(2048)
        mapped = int.from_bytes(socket.inet_aton(says), "big") ^ 0x2112A442
        value = b"\0\1\0\0" + mapped.to_bytes(4, "big")
        body = b"\0\x20\0\x08" + value
        server.sendto(b"\1\1\0\x0c" + request[4:20] + body, sender)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        thread.join()
        server.close()


def behind_nat(pbx: Ward, port: int) -> None:
    pbx.machine.tool("ip", "link", "delete", "wan")
    pbx.configure(
        pjsip=TRANSPORTS.replace("192.0.2.10", "198.51.100.99") + TRUNK,
        rtp=f"[general]\nrtpstart=10000\nrtpend=19999\nstunaddr=127.0.0.1:{port}\n",
    )


def test_behind_nat_asterisks_own_stun_server_tells_the_address(pbx: Ward) -> None:
    with stun_server(pbx, "203.0.113.80") as port:
        behind_nat(pbx, port)
        (finding,) = pbx.found(offline=False)
    assert (finding.kind, finding.subject) == (Kind.EXTERNAL_NOT_OURS, "198.51.100.99")
    assert finding.data["addresses"] == ["203.0.113.80"]
    with stun_server(pbx, "198.51.100.99") as port:
        behind_nat_again = f"[general]\nrtpstart=10000\nrtpend=19999\nstunaddr=127.0.0.1:{port}\n"
        pbx.configure(rtp=behind_nat_again)
        assert pbx.found(offline=False) == []


def test_offline_asks_no_server_and_says_so(pbx: Ward) -> None:
    behind_nat(pbx, 9)
    (unchecked,) = pbx.examine().unchecked
    assert (unchecked.subject, unchecked.why) == ("public-address", "not-there")


def test_the_address_of_a_stun_answer_is_read(pbx: Ward) -> None:
    with stun_server(pbx, "203.0.113.80") as port, pbx.machine.host.entered():
        assert str(mapped_address("127.0.0.1", port)) == "203.0.113.80"


def test_a_peer_that_this_host_contacts_and_no_rule_allows(pbx: Ward) -> None:
    pbx.processes[0].kill()
    pbx.processes[0].wait()
    udp = socket.AF_INET, socket.SOCK_DGRAM
    with pbx.machine.host.socket(*udp) as here, pbx.internet.socket(*udp) as peer:
        here.bind((PBX, 5060))
        peer.bind((STRANGER, 5060))
        peer.settimeout(10)
        here.sendto(b"REGISTER sip:x SIP/2.0\r\n\r\n", (STRANGER, 5060))
        _, sender = peer.recvfrom(2048)
        peer.sendto(b"SIP/2.0 200 OK\r\n\r\n", sender)
        assert here.recv(2048)
        found = [each for each in pbx.found() if each.kind is Kind.UNNAMED_PEER]
    assert [each.subject for each in found] == [STRANGER]
