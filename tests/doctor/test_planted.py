"""Each fault is found, and nothing else, where it is planted on a healthy PBX."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from geofence.backends.ipset import conflicts
from geofence.doctor.findings import FindingKind as Kind
from geofence.doctor.findings import Severity
from tests.cli.machine import ROOT
from tests.doctor.ward import HEALTHY, PBX, STRANGER, TRANSPORTS, TRUNK, Ward, ward
from tests.support.list_server import status

RTP = "[general]\nrtpstart={}\nrtpend={}\n"


# the fence itself, and what keeps it up


def test_no_fence(each: Ward) -> None:
    each.machine.clear()
    assert each.kinds() == [Kind.NO_FENCE]
    assert each.only().data["families"] == ["ipv4", "ipv6"]


def test_ipv6_open_while_ipv4_is_fenced(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ward(tmp_path_factory.mktemp("ward"), "ipset") as pbx:
        pbx.machine.tool("ip6tables", "-t", "mangle", "-F")
        finding = pbx.only()
        assert (finding.kind, finding.data) == (
            Kind.NO_FENCE,
            {"families": ["ipv6"], "other": True},
        )


def test_a_fence_that_differs(each: Ward) -> None:
    each.machine.break_set()
    assert Kind.FENCE_DIFFERS in each.kinds()


def test_rules_that_do_not_load(pbx: Ward) -> None:
    pbx.machine.rule("90-wrong.toml", '[allow]\ncountries = ["UK"]\n')
    assert pbx.kinds() == [Kind.RULES_BROKEN]
    assert '"UK"' in str(pbx.only().data["message"])


def test_edited_rules_that_are_not_applied(pbx: Ward) -> None:
    pbx.machine.rule("90-more.toml", '[exception.far]\nprefixes = ["45.66.0.0/16"]\n')
    assert pbx.kinds() == [Kind.EXCEPTION_INACTIVE, Kind.RULES_NOT_APPLIED]


def test_an_exception_without_an_address(pbx: Ward) -> None:
    pbx.machine.rule("90-far.toml", '[exception.far]\nhosts = ["far.example"]\n')
    pbx.machine.ok("apply")
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.EXCEPTION_INACTIVE, "far")


def test_a_service_that_is_only_observed(pbx: Ward) -> None:
    pbx.machine.rule("90-watch.toml", "[service.rtp]\nobserve = true\n")
    pbx.machine.ok("apply")
    finding = pbx.only()
    assert (finding.kind, finding.data) == (Kind.OBSERVED_ONLY, {"services": ["rtp"]})


def test_stale_lists(pbx: Ward) -> None:
    pbx.machine.age_lists(timedelta(days=30))
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.LIST_STALE, "country JP")


def test_a_clock_that_is_behind(pbx: Ward) -> None:
    pbx.machine.age_lists(timedelta(days=-30))
    assert pbx.only().kind is Kind.CLOCK_WRONG


def test_a_run_that_failed(pbx: Ward) -> None:
    pbx.machine.server.on("/jp.json", status(500))
    pbx.machine.run("refresh")
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.RUN_FAILED, "refresh")
    assert "HTTP 500" in str(finding.data["message"])


def test_a_missing_boot_unit(pbx: Ward) -> None:
    wants = pbx.root / "etc/systemd/system/multi-user.target.wants"
    (wants / "geofence-restore.service").unlink()
    finding = pbx.only()
    assert (finding.kind, finding.data) == (Kind.BOOT_UNIT_MISSING, {"masked": False})
    pbx.enable("geofence-restore.service")
    assert pbx.found() == []
    (pbx.root / "etc/systemd/system/geofence-restore.service").symlink_to("/dev/null")
    assert pbx.only().data == {"masked": True}


def test_a_missing_timer_and_cron_in_its_place(pbx: Ward) -> None:
    wants = pbx.root / "etc/systemd/system/multi-user.target.wants"
    (wants / "geofence-refresh.timer").unlink()
    assert pbx.only().kind is Kind.NO_RENEWAL
    (wants / "geofence-restore.service").unlink()
    cron = pbx.root / "etc/cron.d"
    cron.mkdir()
    (cron / "geofence").write_bytes((ROOT / "cron/geofence.cron").read_bytes())
    assert pbx.found() == []


def test_a_firewall_that_flushes_iptables_at_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for backend, kinds in (("ipset", [Kind.FLUSHED_BY_OTHERS]), ("nftables", [])):
        (tmp_path / backend).mkdir()
        with ward(tmp_path / backend, backend) as pbx:
            monkeypatch.setattr(conflicts, "ROOT", pbx.root)
            (pbx.root / "etc/systemd/system/csf.service").write_text("", encoding="ascii")
            pbx.enable("csf.service")
            assert pbx.kinds() == kinds


# rules of other programs


def test_notrack(each: Ward) -> None:
    line = "-t raw -A PREROUTING -p udp --dport 5060 -j CT --notrack"
    each.machine.tool("iptables", *line.split())
    finding = each.only()
    assert (finding.kind, finding.subject) == (Kind.UNTRACKED, "sip")
    assert finding.severity is Severity.WRONG


def test_another_port_that_leads_to_a_fenced_one(pbx: Ward) -> None:
    line = "-t nat -A PREROUTING -p udp --dport 5566 -j REDIRECT --to-ports 5060"
    pbx.machine.tool("iptables", *line.split())
    finding = pbx.only()
    assert (finding.kind, finding.data["named"]) == (Kind.REDIRECTED, "5566/udp")


@pytest.mark.parametrize("table", ["raw", "mangle", "filter"])
def test_another_firewall_that_drops(each: Ward, table: str) -> None:
    chain = "INPUT" if table == "filter" else "PREROUTING"
    line = f"-t {table} -A {chain} -p udp --dport 5060 -j DROP"
    each.machine.tool("iptables", *line.split())
    finding = each.only()
    assert (finding.kind, finding.subject) == (Kind.DROPPED_BY_OTHERS, "sip")
    assert finding.data["place"] == f"iptables {table} {chain}"
    assert finding.severity is Severity.WRONG


def test_another_list_of_countries_is_a_notice(each: Ward) -> None:
    each.machine.tool("ipset", "create", "panel", "hash:net")
    line = "-A INPUT -p udp --dport 5060 -m set ! --match-set panel src -j DROP"
    each.machine.tool("iptables", *line.split())
    finding = each.only()
    assert (finding.kind, finding.severity) == (Kind.DROPPED_BY_OTHERS, Severity.NOTICE)
    assert finding.data["conditional"] is True


def test_a_policy_of_drop_without_an_opening(each: Ward) -> None:
    for line in (
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -p tcp -j ACCEPT",
        "-A INPUT -p udp --dport 5060 -j ACCEPT",
        "-P INPUT DROP",
    ):
        each.machine.tool("iptables", *line.split())
    finding = each.only()
    assert (finding.kind, finding.subject) == (Kind.POLICY_DROPS, "rtp")
    line = "-A INPUT -p udp --dport 10000:20000 -j ACCEPT"
    each.machine.tool("iptables", *line.split())
    assert each.found() == []


def test_a_rule_that_accepts_before_the_fence(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ward(tmp_path_factory.mktemp("ward"), "ipset") as pbx:
        line = "-t mangle -I PREROUTING -p udp --dport 5060 -j ACCEPT"
        pbx.machine.tool("iptables", *line.split())
        assert Kind.ACCEPTED_EARLIER in pbx.kinds()


def test_both_flavours_of_iptables(each: Ward) -> None:
    for program in ("iptables-nft", "iptables-legacy"):
        each.machine.tool(program, "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
    assert each.only().kind is Kind.BOTH_FLAVOURS


def test_the_sip_helper(each: Ward) -> None:
    line = "-t raw -A PREROUTING -p udp --dport 5060 -j CT --helper sip"
    each.machine.tool("iptables", *line.split())
    finding = each.only()
    assert (finding.kind, finding.data["how"]) == (Kind.SIP_HELPER, "rule")
    assert finding.data["places"] == ["iptables raw PREROUTING"]


def test_the_sip_helper_by_nftables(pbx: Ward) -> None:
    rules = """\
table ip helpers {
    ct helper mine { type "sip" protocol udp; l3proto ip; }
    chain in { type filter hook prerouting priority -190; udp dport 5060 ct helper set "mine"; }
}
"""
    pbx.machine.host.run("nft", "-f", "-", stdin=rules)
    finding = pbx.only()
    assert (finding.kind, finding.data["places"]) == (Kind.SIP_HELPER, ["nft ip helpers mine"])


def publish(pbx: Ward, named: int, target: int) -> None:
    """Publish a port as Docker does."""
    for line in (
        "-N DOCKER",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        f"-A DOCKER ! -i docker0 -p udp --dport {named} -j DNAT --to 172.17.0.2:{target}",
    ):
        pbx.machine.tool("iptables", "-t", "nat", *line.split())


def test_a_sip_port_that_docker_publishes(each: Ward) -> None:
    publish(each, 5062, 5062)
    finding = each.only()
    assert (finding.kind, finding.subject) == (Kind.PUBLISHED_NOT_FENCED, "5062/udp")
    assert finding.data["address"] == "172.17.0.2"


def test_published_ports_that_are_fenced_or_no_sip_are_no_fault(pbx: Ward) -> None:
    publish(pbx, 5060, 5060)
    line = "-t nat -A DOCKER -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.3:80"
    pbx.machine.tool("iptables", *line.split())
    assert pbx.found() == []


def test_dockers_proxy_hides_sources(pbx: Ward) -> None:
    publish(pbx, 10000, 10000)
    pbx.hold("docker-proxy", "10000/udp", ":::10000/udp")
    finding = pbx.only()
    assert (finding.kind, finding.data["families"]) == (Kind.DOCKER_HIDES_SOURCES, ["ipv6"])


def test_a_published_range_is_one_finding(pbx: Ward) -> None:
    pbx.hold("docker-proxy", *(f"{port}/udp" for port in range(10000, 10050)))
    assert pbx.only().subject == "10000-10049/udp"


def test_everybody_has_one_private_address(pbx: Ward) -> None:
    for number in range(20):
        pbx.machine.tool(
            *("conntrack", "-I", "-p", "udp", "-s", "192.168.7.1", "-d", "192.0.2.10"),
            *("--sport", str(20000 + number), "--dport", "5060", "-t", "600"),
            *("-u", "SEEN_REPLY,ASSURED"),
        )
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.HIDDEN_SOURCES, "192.168.7.1")


# ports


def test_a_bound_port_that_is_not_fenced(each: Ward) -> None:
    each.hold("asterisk", "5038/tcp", "4569/udp")
    found = {finding.subject: finding for finding in each.found()}
    assert set(found) == {"5038/tcp", "4569/udp"}
    assert {finding.kind for finding in found.values()} == {Kind.BOUND_NOT_FENCED}
    assert found["5038/tcp"].data["process"] == "asterisk"


def test_a_port_that_only_a_lan_reaches_is_a_notice(pbx: Ward) -> None:
    pbx.hold("asterisk", "192.168.7.2:5038/tcp")
    assert pbx.only().severity is Severity.NOTICE
    pbx.machine.tool("ip", "link", "delete", "wan")
    pbx.configure(pjsip=TRANSPORTS.replace("192.0.2.10", "192.168.7.2") + TRUNK)
    found = {each.kind: each for each in pbx.found()}
    assert found[Kind.BOUND_NOT_FENCED].severity is Severity.WRONG, "a router may translate"


def test_many_calls_on_ports_that_are_not_fenced_are_one_finding(pbx: Ward) -> None:
    pbx.configure(rtp=RTP.format(10000, 19999))
    pbx.hold("asterisk", *(f"{port}/udp" for port in range(25000, 25040, 2)))
    assert pbx.only().subject == "25000-25038/udp"


def test_a_configured_port_that_is_not_fenced(pbx: Ward) -> None:
    """What only the configuration opens counts even if no process runs."""
    pbx.processes[0].kill()
    pbx.processes[0].wait()
    pbx.configure(pjsip=TRANSPORTS.replace("0.0.0.0:5061", "0.0.0.0:5071") + TRUNK)
    found = {finding.subject: finding for finding in pbx.found()}
    assert found["5071/tcp"].kind is Kind.BOUND_NOT_FENCED
    assert found["5071/tcp"].severity is Severity.WRONG
    assert found["5071/tcp"].data["where"] == "pjsip.conf [tls]"


def test_a_fenced_port_that_nothing_binds(pbx: Ward) -> None:
    pbx.machine.rule("90-more.toml", '[service.iax]\nports = ["4569/udp"]\n')
    pbx.machine.ok("apply")
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.FENCED_NOT_BOUND, "4569/udp")
    assert finding.severity is Severity.NOTICE


def test_udp_and_tcp_mixed_up(pbx: Ward) -> None:
    pbx.machine.rule("90-more.toml", '[service.web]\nports = ["8089/udp"]\n')
    pbx.machine.ok("apply")
    pbx.hold("asterisk", "8089/tcp")
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.PROTOCOLS_MIXED_UP, "8089/tcp")
    assert finding.data["fenced"] == "8089/udp"


# media


def test_media_ports_apart(each: Ward) -> None:
    each.configure(rtp=RTP.format(16384, 32767))
    found = {finding.kind: finding for finding in each.found()}
    assert found[Kind.RTP_NOT_FENCED].subject == "20001-32767/udp"
    assert found[Kind.RTP_TOO_WIDE].subject == "10000-16383/udp"
    assert found[Kind.RTP_TOO_WIDE].severity is Severity.NOTICE
    assert len(found) == 2


def test_the_last_port_of_rtcp(pbx: Ward) -> None:
    pbx.configure(rtp=RTP.format(10000, 20000))
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.RTCP_NOT_FENCED, "20001/udp")


def test_another_process_holds_media_ports(pbx: Ward) -> None:
    pbx.hold("turnserver", "10010/udp", "10011/udp")
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.RTP_PORT_HELD, "10010/udp")
    assert finding.data == {"process": "turnserver", "held": 2}


def test_media_that_the_fence_drops(each: Ward) -> None:
    """300 packets in three seconds, of a call that nobody hears."""
    with each.internet.socket(2, 2) as sender:
        sender.bind((STRANGER, 0))
        for _ in range(300):
            sender.sendto(b"\x80" + bytes(171), (PBX, 10000))
            time.sleep(0.01)
    finding = each.only()
    assert (finding.kind, finding.subject) == (Kind.MEDIA_BLOCKED, STRANGER)


def test_codecs_that_nothing_translates(pbx: Ward) -> None:
    phone = "[101]\ntype=endpoint\naors=101\ndisallow=all\nallow=g729\n"
    pbx.configure(pjsip=TRANSPORTS + TRUNK + phone)
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.CODEC_NOT_TRANSLATABLE, "g729")
    pbx.configure(pjsip=TRANSPORTS + TRUNK + phone.replace("g729", "g722"))
    assert pbx.found() == []


# NAT


def test_an_external_address_that_is_not_ours(pbx: Ward) -> None:
    pbx.configure(pjsip=TRANSPORTS.replace("192.0.2.10", "198.51.100.99") + TRUNK)
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.EXTERNAL_NOT_OURS, "198.51.100.99")
    assert finding.data["addresses"] == ["192.0.2.10"]


def test_a_private_external_address(pbx: Ward) -> None:
    pbx.configure(pjsip=TRANSPORTS.replace("192.0.2.10", "192.168.7.2") + TRUNK)
    assert pbx.only().kind is Kind.EXTERNAL_PRIVATE


def test_no_external_address_behind_nat(pbx: Ward) -> None:
    pbx.machine.tool("ip", "link", "delete", "wan")
    lines = [line for line in TRANSPORTS.splitlines() if "external_" not in line]
    pbx.configure(pjsip="\n".join(lines) + "\n" + TRUNK)
    finding = pbx.only()
    assert (finding.kind, finding.data) == (
        Kind.EXTERNAL_MISSING,
        {"addresses": ["192.168.7.2"]},
    )


def test_a_local_net_that_is_missing(pbx: Ward) -> None:
    pbx.configure(pjsip=TRANSPORTS.replace("local_net=192.168.7.0/24\n", "") + TRUNK)
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.LOCAL_NET_MISSING, "192.168.7.0/24")
    assert finding.severity is Severity.WRONG


# trunks and phones


def trunk(pbx: Ward, match: str) -> None:
    pbx.configure(pjsip=TRANSPORTS + TRUNK.replace("45.88.0.7", match))


def test_a_trunk_that_is_blocked(each: Ward) -> None:
    trunk(each, "45.12.0.0/30")
    finding = each.only()
    assert (finding.kind, finding.subject) == (Kind.TRUNK_BLOCKED, "45.12.0.0/30")


def test_a_trunk_whose_media_is_blocked(each: Ward) -> None:
    """The exception "office" is for sip alone."""
    each.machine.ok("allow", "office")
    trunk(each, "45.9.0.8")
    finding = each.only()
    assert (finding.kind, finding.data["services"]) == (Kind.TRUNK_MEDIA_BLOCKED, ["rtp"])


def test_a_provider_whose_media_is_blocked(pbx: Ward) -> None:
    """It sends media from other addresses than it signals from."""
    pbx.machine.ok("allow", "twilio-sip")
    trunk(pbx, "54.172.60.1")
    finding = pbx.only()
    assert finding.kind is Kind.PROVIDER_MEDIA_BLOCKED
    assert finding.data["exception"] == "twilio"
    pbx.machine.ok("allow", "twilio")
    assert pbx.found() == []


def test_a_trunk_that_no_rule_names(pbx: Ward) -> None:
    trunk(pbx, "sip.provider.example")
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.TRUNK_UNKNOWN, "sip.provider.example")


def test_a_trunk_behind_a_trusted_interface_is_not_blocked(pbx: Ward) -> None:
    pbx.machine.tool("ip", "link", "add", "vpn0", "type", "veth", "peer", "name", "vpn1")
    for name in ("vpn0", "vpn1"):
        pbx.machine.tool("ip", "link", "set", name, "up")
    pbx.machine.tool("ip", "address", "add", "100.64.9.1/24", "dev", "vpn0")
    trunk(pbx, "100.64.9.2")
    assert Kind.TRUNK_BLOCKED in pbx.kinds()
    pbx.machine.rule("90-vpn.toml", '[local]\ninterfaces = ["lo", "vpn*"]\n')
    pbx.machine.ok("apply")
    assert Kind.TRUNK_BLOCKED not in pbx.kinds()


@pytest.mark.parametrize("match", ["0.0.0.0/0", "127.0.0.1/32", PBX])
def test_everybody_and_this_host_are_no_trunks(pbx: Ward, match: str) -> None:
    trunk(pbx, match)
    assert pbx.found() == []


def test_a_push_server_among_the_contacts(each: Ward) -> None:
    each.say("133.1.2.3", "35.185.177.49")
    finding = each.only()
    assert (finding.kind, finding.data["exception"]) == (Kind.PUSH_SERVER_BLOCKED, "push-as")


def test_a_blocked_contact(pbx: Ward) -> None:
    pbx.say("45.12.0.7")
    finding = pbx.only()
    assert (finding.kind, finding.subject) == (Kind.CONTACT_BLOCKED, "101")


def test_a_contact_behind_a_router_names_an_address_that_tells_nothing(pbx: Ward) -> None:
    pbx.say("10.11.12.13")
    assert pbx.found() == []


def test_a_file_that_asterisk_refuses(pbx: Ward) -> None:
    pbx.configure(pjsip=HEALTHY["pjsip.conf"] + "[broken\n")
    assert Kind.CONFIGURATION_REFUSED in [each.kind for each in pbx.examine().findings]
