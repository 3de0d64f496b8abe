"""Beside fail2ban: whom it bans stays banned, in whatever way it bans."""

from __future__ import annotations

from geofence.model.prefixes import Family
from tests.behaviour.fence import Fence
from tests.behaviour.scene import ADDRESSES, RULESET, Role
from tests.coexistence.beside import live_beside
from tests.coexistence.field import CLOSED_SIP, OPEN_SIP, fenced, reach
from tests.coexistence.machine import Machine

JAILS = {
    "iptables-multiport": Role.ALLOWED,
    "nftables-multiport": Role.EXCEPTION_ON,
    "iptables-ipset-proto6": Role.LOCAL,
}
"""Ways to ban, all of Debian's fail2ban, and who is banned so; none is foreign."""

EVERYTHING = "iptables-save; ip6tables-save; ipset save; nft list ruleset"

LOG = "/var/log/asterisk/messages"
CONFIGURATION = (
    "[DEFAULT]\nbackend = polling\nbantime = -1\n[sshd]\nenabled = false\n",
    *(
        f"[{action}]\nenabled = true\nfilter = asterisk\nport = 5060,5061\n"
        f"logpath = {LOG}\naction = %(banaction)s[port='%(port)s', protocol='tcp,udp']\n"
        f"banaction = {action}\n"
        for action in JAILS
    ),
)


def start(machine: Machine) -> None:
    machine.start("fail2ban", "fail2ban-server -xf start")
    machine.until("fail2ban-client ping")


def set_up(machine: Machine) -> None:
    machine.write(LOG, "")
    machine.write("/etc/fail2ban/jail.d/geofence.local", "".join(CONFIGURATION))
    machine.do("mkdir /run/fail2ban")
    start(machine)


def ban(machine: Machine, jail: str, role: Role) -> None:
    for address in ADDRESSES[role]:
        machine.do(f"fail2ban-client set {jail} banip {address}")
    await_bans(machine, role)


def await_bans(machine: Machine, role: Role) -> None:
    """It answers before it has done it."""
    for address in ADDRESSES[role]:
        machine.until(f"{{ {EVERYTHING}; }} | grep -wF {address}")


def restart(machine: Machine) -> None:
    """It ends when all bans are taken back, and makes them again at its start."""
    machine.stop("fail2ban")
    start(machine)
    for role in JAILS.values():
        await_bans(machine, role)


def test_the_fence_is_up_beside_fail2ban(fence: Fence, machine: Machine) -> None:
    set_up(machine)
    everybody = reach(fence)
    for jail, role in JAILS.items():
        ban(machine, jail, role)
    without = reach(fence)
    banned = {key for key, landed in everybody.items() if landed != without[key]}
    assert banned == {
        (role, family, target)
        for role in JAILS.values()
        for family in Family
        for target in OPEN_SIP + CLOSED_SIP
    }

    live_beside(
        fence,
        without,
        {
            "reload": lambda: machine.do("fail2ban-client reload"),
            "restart": lambda: restart(machine),
        },
    )


def test_an_address_unbanned_by_fail2ban_is_allowed_by_the_fence(
    fence: Fence, machine: Machine
) -> None:
    set_up(machine)
    everybody = reach(fence)
    fence.apply(RULESET)
    for jail, role in JAILS.items():
        ban(machine, jail, role)
    assert reach(fence) != fenced(everybody)

    machine.do("fail2ban-client unban --all")

    assert reach(fence) == fenced(everybody)
