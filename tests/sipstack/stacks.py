"""The PBXs that are attacked: pjsip and kamailio, on the PBX of a lab."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from geofence.errors import LabError
from geofence.lab.host import Host
from tests.coexistence.machine import Debian, Machine
from tests.sipstack.addresses import sip_host

_HERE = Path(__file__).parent
DOWNLOADED = _HERE.parents[1] / ".venv" / "peers-sip"
"""Where ``bootstrap`` puts the packages."""

RTP_PORTS = range(10_000, 10_100)
"""Which the media server of either PBX uses; fenced by what ships."""

_SOCKET = "unix:/run/kamailio_ctl"


def no_pjsip() -> str:
    """Return why there is no pjsip here; nothing where PyPI has one."""
    if sys.version_info >= (3, 13) or platform.machine() != "x86_64":
        return "pjsua2-python has no wheel for this Python on this machine"
    return ""


class Pbx(Protocol):
    """What a test tells a PBX; for what it does of itself see ``agent`` and ``kamailio.cfg``."""

    media: Agent
    """Takes the calls, and counts the RTP of them."""

    def send(self, method: str, address: str) -> None:
        """Send a request to port 5060 of an address by UDP: OPTIONS or REGISTER."""


class Agent(AbstractContextManager["Agent"]):
    """A pjsip endpoint on a host, by its commands; see ``agent``."""

    def __init__(self, host: Host, address: str, port: int = 5060, *, rtp: int = 10_000) -> None:
        command = [sys.executable, "-P", str(_HERE / "agent.py")]
        self._process = host.start([*command, address, str(port), str(rtp), str(len(RTP_PORTS))])
        self._hear()

    def do(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever it answers
        """Tell it to do something, and return what it answers when that is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": name, "with": arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._hear()
        if isinstance(answer, dict) and "error" in answer:
            raise LabError(f"pjsip could not {name}: {answer['error']}")
        return answer

    def _hear(self) -> Any:  # noqa: ANN401 - whatever it answers
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise LabError("The pjsip process ended; see what it printed.")
        return json.loads(line)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it without a word to anybody."""
        self._process.kill()
        self._process.communicate()


class Pjsip:
    """pjsip alone, which is what Asterisk speaks SIP with."""

    def __init__(self, media: Agent) -> None:
        self.media = media

    def send(self, method: str, address: str) -> None:
        """Send OPTIONS or REGISTER."""
        if method == "OPTIONS":
            self.media.do("options", f"sip:{sip_host(address)}")
        else:
            self.media.do("register", sip_host(address))


class Kamailio:
    """kamailio before a pjsip that takes the calls."""

    def __init__(self, machine: Machine, media: Agent, address: str) -> None:
        self._machine = machine
        self._host = sip_host(address)
        self.media = media

    def send(self, method: str, address: str) -> None:
        """Send OPTIONS or REGISTER by kamailio's transaction layer."""
        far = sip_host(address)
        headers = (
            f"From: <sip:pbx@{self._host}>;tag=pbx\r\nTo: <sip:pbx@{far}>\r\n"
            f"Contact: <sip:pbx@{self._host}:5060>\r\nExpires: 300\r\nContent-Type: text/plain\r\n"
        )
        command = ("kamcmd", "-s", _SOCKET, "tm.t_uac_start", method, f"sip:{far}")
        said = self._machine.run(*command, f"sip:{far}:5060", ".", headers, "x")
        if "error" in said:
            raise LabError(f"kamailio could not send {method}: {said}")


@contextmanager
def pjsip(host: Host, address: str) -> Iterator[Pbx]:
    """A PBX that is pjsip, at one address of a host."""
    with Agent(host, address) as agent:
        yield Pjsip(agent)


@contextmanager
def kamailio(
    debian: Debian, host: Host, address: str, *, reply_to_via: bool = False
) -> Iterator[Pbx]:
    """A PBX that is kamailio and, for the calls, a pjsip behind it.

    Args:
        debian: has the packages.
        host: the PBX of a lab.
        address: where it listens.
        reply_to_via: whether it answers where ``Via`` says, as some are configured to.
    """
    with ExitStack() as closing:
        machine = closing.enter_context(debian.machine(host))
        media = closing.enter_context(Agent(host, address, 5080))
        text = (_HERE / "kamailio.cfg").read_text(encoding="utf-8")
        text = text.replace("$ADDRESS", sip_host(address))
        text = text.replace("$REPLY_TO_VIA", "yes" if reply_to_via else "no")
        machine.write("/etc/kamailio/kamailio.cfg", text)
        machine.start("kamailio", "kamailio -DD -E -f /etc/kamailio/kamailio.cfg -Y /run -m 16")
        machine.until(f"kamcmd -s {_SOCKET} core.version | grep -q kamailio")
        yield Kamailio(machine, media, address)
