"""fail2ban bans through geofence: a real one, on logs as Asterisk writes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geofence.errors import LabError
from geofence.lab.network import Lab
from tests.chaos.ground import Ground, ground
from tests.cli.machine import BACKENDS
from tests.cli.world import JAPANESE
from tests.coexistence.asterisk_log import REASONS, RESPONSE, attempt, event, notice
from tests.coexistence.banning import MESSAGES, SECURITY, Banning, banning, probe
from tests.coexistence.machine import Debian

ATTACKERS = ("133.9.9.9", "2400:4000:9::9")
"""In the country that is allowed: only a ban keeps them out."""
FORGED = "133.3.3.3"
OFFICE = "133.77.0.9"
OFFICE_RULE = """\
[exception.agency]
prefixes = ["133.77.0.0/24", "2400:4000:77::/48"]
"""
NOT_COUNTED = (
    "NOTICE[4410] acl.c: SIP ACL: Rejecting '133.9.9.9' due to a failure to pass ACL \"x\"",
    event("133.9.9.9", "ChallengeSent", account="<unknown>", more=',Challenge=""'),
    event("133.9.9.9", "SuccessfulAuth", more=',UsingPassword="1"'),
)


@pytest.fixture(params=BACKENDS)
def pbx(request: pytest.FixtureRequest, tmp_path: Path, lab: Lab) -> Iterator[Ground]:
    """A PBX for every backend in turn; nothing was done yet."""
    with ground(tmp_path, request.param, lab) as made:
        yield made


@pytest.fixture
def host(debian: Debian, pbx: Ground) -> Iterator[Banning]:
    with banning(debian, pbx) as made:
        yield made


def fail(host: Banning, address: str, times: int = 1) -> None:
    """Fail to log in: a line in each stream."""
    for number in range(times):
        said, reported = attempt(address, f"{address}-{number}")
        host.log(MESSAGES, said)
        host.log(SECURITY, reported)


def test_whoever_fails_too_often_is_banned_in_the_middle_of_a_call(host: Banning) -> None:
    host.install(seconds=12)
    host.start()
    flows = {address: probe(address, source_port=40_000) for address in ATTACKERS}
    with host.ground.lab.stream(flows, every=0.01) as stream:
        for address in ATTACKERS:
            fail(host, address, 3)
        host.until_banned(*ATTACKERS)
        assert not any(host.gets_in(address) for address in ATTACKERS)
        reports = stream.finish()
    for address in ATTACKERS:
        arrived = len(reports[address].arrived)
        assert 0 < arrived < reports[address].sent
    found = host.bans()
    assert set(found) == {"133.9.9.9/32", "2400:4000:9::9/128"}
    assert all("fail2ban: geofence-" in each["reason"] for each in found.values()), "either jail"
    assert host.gets_in(JAPANESE[0])
    ends = {datetime.fromisoformat(each["until"]) for each in found.values()}
    while not all(host.gets_in(address) for address in ATTACKERS):
        assert datetime.now(UTC) < max(ends) + timedelta(seconds=3)
    assert datetime.now(UTC) > min(ends) - timedelta(seconds=2)
    host.until_said(r"\[geofence-asterisk\] Unban", 2)
    assert host.bans() == {}
    assert " ERROR " not in host.said()


def test_one_attempt_counts_once_even_in_one_file(host: Banning) -> None:
    host.install(attempts=3)
    host.start()
    for number in range(2):
        host.log(MESSAGES, *attempt(ATTACKERS[0], f"a{number}"))
    host.until_said(r"\[geofence-asterisk\] Found 133\.9\.9\.9", 2)
    host.until_said(r"\[geofence-security\] Found 133\.9\.9\.9", 2)
    assert host.bans() == {}
    assert host.gets_in(ATTACKERS[0])
    host.log(MESSAGES, *attempt(ATTACKERS[0], "a2"))
    host.until_banned(ATTACKERS[0])
    assert not host.gets_in(ATTACKERS[0])


def test_an_exception_and_this_host_are_left_alone(host: Banning) -> None:
    host.ground.machine.rule("60-agency.toml", OFFICE_RULE)
    host.ground.machine.ok("apply")
    host.install(attempts=1)
    host.start()
    for address in (OFFICE, "2400:4000:77::9", "127.0.0.1", "198.51.100.10"):
        fail(host, address)
    fail(host, ATTACKERS[0])
    host.until_banned(ATTACKERS[0])
    host.until_said(r"Ignore 2400:4000:77::9 by command", 2)
    assert set(host.bans()) == {"133.9.9.9/32"}
    assert host.gets_in(OFFICE)
    assert set(host.machine.do("cat /run/geofence-called").splitlines()) == {"ban --lines"}
    assert " ERROR " not in host.said()


def test_the_ignorecommand_asks_a_geofence_of_its_own_where_none_is_kept(filters: Banning) -> None:
    machine = filters.ground.machine
    machine.rule("60-agency.toml", OFFICE_RULE)
    machine.ok("apply")
    ask = "sh /etc/fail2ban/action.d/geofence-covering.sh nobody"
    filters.machine.do(f"{ask} {OFFICE}")
    for address in ATTACKERS:
        with pytest.raises(LabError):
            filters.machine.do(f"{ask} {address}")
    called = filters.machine.do("cat /run/geofence-called").splitlines()
    assert called == [f"exceptions --covering {each}" for each in (OFFICE, *ATTACKERS)]


def test_what_is_banned_by_hand_through_fail2ban_is_refused_for_an_exception(host: Banning) -> None:
    host.ground.machine.rule("60-agency.toml", OFFICE_RULE)
    host.ground.machine.ok("apply")
    host.install()
    host.start()
    host.machine.do(f"fail2ban-client set geofence-asterisk banip {OFFICE}")
    host.until_said(r"WARNING .*133\.77\.0\.9 was not banned: an exception allows it")
    assert host.bans() == {}
    assert host.gets_in(OFFICE)


def test_a_ban_ends_when_fail2ban_ends_it_and_not_when_somebody_else_bans_longer(
    host: Banning,
) -> None:
    host.install()
    host.start()
    for address in ATTACKERS:
        host.machine.do(f"fail2ban-client set geofence-asterisk banip {address}")
    host.until_banned(*ATTACKERS)
    host.ground.machine.ok("ban", ATTACKERS[1], "--reason", "by hand")
    host.machine.do("fail2ban-client unban --all")
    host.until_said(r"stays banned: another ban of it lasts longer")
    assert [each["reason"] for each in host.bans().values()] == ["by hand"]
    assert host.gets_in(ATTACKERS[0])
    assert not host.gets_in(ATTACKERS[1])


def test_a_restart_of_fail2ban_keeps_the_time_that_is_left(host: Banning) -> None:
    host.install(seconds=600)
    host.start()
    fail(host, ATTACKERS[0], 3)
    host.until_banned(ATTACKERS[0])
    before = host.bans()["133.9.9.9/32"]["until"]
    host.machine.stop("fail2ban")
    assert host.bans() == {}
    host.resume()
    host.until_said(r"Restore Ban 133\.9\.9\.9")
    host.until_banned(ATTACKERS[0])
    host.machine.until("sleep 1")
    after = host.bans()["133.9.9.9/32"]["until"]
    assert before[:18] == after[:18] or before[:16] == after[:16]
    assert not host.gets_in(ATTACKERS[0])


def test_a_geofence_that_dies_is_started_again(host: Banning) -> None:
    host.install()
    host.start()
    host.machine.do(f"fail2ban-client set geofence-asterisk banip {ATTACKERS[0]}")
    host.until_banned(ATTACKERS[0])
    host.machine.run("sh", "-c", "kill -9 $(pgrep -f 'geofence ban [-]-lines')")
    host.machine.do(f"fail2ban-client set geofence-asterisk banip {ATTACKERS[1]}")
    host.until_banned(ATTACKERS[1])
    assert not any(host.gets_in(address) for address in ATTACKERS)
    host.machine.do("fail2ban-client reload")
    host.machine.do(f"fail2ban-client set geofence-asterisk banip {FORGED}")
    host.until_banned(FORGED)
    assert host.machine.run("sh", "-c", "pgrep -fc 'geofence ban [-]-lines'").strip() == "1"


AGENT = "133.9.9.9"
OTHER = "203.0.113.66"
FAKE = f"' failed for '{OTHER}:5060' (callid: z) - No matching endpoint found"
CUT = f"' failed for '{OTHER}:5060' (callid: z"
FAKE_ADDRESSES = f'LocalAddress="IPV4/UDP/192.0.2.1/5060",RemoteAddress="IPV4/UDP/{OTHER}/5060"'
_MANAGER = "NOTICE[77] manager.c: {} failed to authenticate as '{}'"
_REGISTRATION = (
    "NOTICE[77] chan_sip.c: Registration from '{}' failed for '{}:5060' - Wrong password"
)
TAKEN = {
    "notice": (
        *(notice(address, why) for address in ATTACKERS for why in REASONS),
        notice(AGENT, method="INVITE", sender='"desk" <sip:100@192.0.2.1>'),
        notice(AGENT, method="INVITE", sender=r'"d\"e\\" <sip:100@192.0.2.1>'),
        notice(AGENT, sender="desk phone <sip:100@192.0.2.1>"),
        notice(AGENT, thread="4410][C-0000001f"),
        _MANAGER.format(AGENT, "admin"),
        f"NOTICE[77] manager.c: {AGENT} tried to authenticate with nonexistent user 'x'",
        _REGISTRATION.format("<sip:1@x>", AGENT),
    ),
    "security": (
        *(event(address, transport=by) for address in ATTACKERS for by in ("UDP", "TCP", "TLS")),
        event(AGENT, "ChallengeResponseFailed", more=RESPONSE),
        event(AGENT, "FailedACL", more=',ACLName="not_match_endpoint_acl"'),
        event(AGENT, "InvalidPassword", service="AMI", transport="TCP"),
        event(AGENT, "InvalidPassword", more=',Challenge="",ReceivedChallenge="",ReceivedHash=""'),
    ),
}
"""Lines of an attacker that name nobody else."""
FORGERIES = {
    "notice": (
        notice(AGENT, sender=f'"x{FAKE}" <sip:100@192.0.2.1>'),
        notice(AGENT, sender=f'"x{CUT}" <sip:100@192.0.2.1>'),
        notice(AGENT, sender=f"x{CUT} <sip:100@192.0.2.1>"),
        notice(AGENT, sender=f"<sip:100{CUT}@192.0.2.1>"),
        notice(AGENT, call=f"z){CUT}"),
        notice(AGENT, sender=f'"x{CUT}" <sip:1@b>', call=f"z){CUT}"),
        notice(AGENT, sender=f'"x: {notice(OTHER, call="z")}" <sip:1@b>'),
        notice(AGENT, sender=f"\"x: Request 'REGISTER' from '<sip:1@b>{CUT}\" <sip:1@b>"),
        notice(AGENT, sender=f'"x: manager.c: {OTHER} failed to authenticate as" <sip:1@b>'),
        _MANAGER.format(AGENT, "x" + FAKE),
        _MANAGER.format(AGENT, _MANAGER.format(OTHER, "x")),
        _REGISTRATION.format(f"\"x' failed for '{OTHER}' - Wrong password\" <sip:1@x>", AGENT),
    ),
    "security": (
        event(AGENT, account=f'x",SessionID="z",{FAKE_ADDRESSES},ACLName="'),
        event(AGENT, account=f'x",SessionID="z",{FAKE_ADDRESSES},ACLName="\\'),
        event(AGENT, call=f'z",{FAKE_ADDRESSES}'),
        event(AGENT, call=f'z",{FAKE_ADDRESSES},Challenge="\\', more=""),
        event(AGENT, "ChallengeResponseFailed", more=RESPONSE, call=f'z",{FAKE_ADDRESSES},A="'),
        event(
            AGENT,
            "ChallengeResponseFailed",
            more=RESPONSE.replace("1f2e", FAKE_ADDRESSES.replace('"', r"\"")),
        ),
        event(
            AGENT,
            "ChallengeResponseFailed",
            more=RESPONSE.replace("1f2e", f'1,{FAKE_ADDRESSES},A="'.replace('"', r"\"")),
        ),
        event(AGENT, "InvalidPassword", service="AMI", more=f',{FAKE_ADDRESSES},ReceivedHash=""'),
        event(AGENT, "InvalidPassword", service="AMI", account=f'x",{FAKE_ADDRESSES},A="'),
    ),
}
"""Lines in which an attacker has put somebody else's address wherever text can be chosen."""


@pytest.fixture
def filters(debian: Debian, lab: Lab, tmp_path: Path) -> Iterator[Banning]:
    """The filter installed; backends do not matter."""
    with ground(tmp_path, BACKENDS[0], lab) as made, banning(debian, made) as host:
        host.install()
        yield host


def test_each_form_of_a_failure_is_taken_and_nothing_else(filters: Banning) -> None:
    for stream, lines in TAKEN.items():
        found = filters.matches(stream, lines)
        assert dict(zip(lines, found, strict=True)) == {
            line: ATTACKERS[1] if ATTACKERS[1] in line else AGENT for line in lines
        }
        assert filters.matches(stream, NOT_COUNTED) == [None] * len(NOT_COUNTED)
    assert filters.matches("security", TAKEN["notice"][:3]) == [None] * 3
    assert filters.matches("notice", TAKEN["security"][:3]) == [None] * 3


def test_forged_fields_name_nobody_else(filters: Banning) -> None:
    for stream, lines in FORGERIES.items():
        for line, found in zip(lines, filters.matches(stream, lines), strict=True):
            assert found in (AGENT, None), line
    assert filters.matches("notice", FORGERIES["notice"][:2]) == [AGENT] * 2
    assert filters.matches("security", FORGERIES["security"][4:7]) == [AGENT] * 3


PLAIN_JAIL = """\
[plain]
enabled = true
backend = polling
filter = geofence-asterisk
logpath = /var/log/asterisk/messages
action = geofence-command[name=plain]
[forever]
enabled = true
backend = polling
bantime = -1
filter = geofence-asterisk
logpath = /var/log/asterisk/messages
action = geofence-command[name=forever]
"""


def test_the_plain_action_bans_for_the_time_and_without_end(filters: Banning) -> None:
    filters.install(seconds=600, more=PLAIN_JAIL)
    filters.start()
    filters.machine.do(f"fail2ban-client set plain banip {ATTACKERS[0]}")
    filters.machine.do(f"fail2ban-client set forever banip {ATTACKERS[1]}")
    filters.until_banned(*ATTACKERS)
    found = filters.bans()
    assert found["133.9.9.9/32"]["reason"] == "fail2ban: plain"
    assert found["133.9.9.9/32"]["until"] is not None
    assert found["2400:4000:9::9/128"]["until"] is None
    assert not any(filters.gets_in(address) for address in ATTACKERS)
    filters.ground.machine.ok("unban", ATTACKERS[0])
    filters.machine.do("fail2ban-client unban --all")
    assert filters.bans() == {}
    assert all(filters.gets_in(address) for address in ATTACKERS)
    assert " ERROR " not in filters.said()
