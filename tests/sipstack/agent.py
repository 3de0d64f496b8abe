"""A SIP endpoint, pjsip, as a process: the PBX or a phone.

It reads one JSON command a line from standard input, and prints one JSON answer a line. Calls to
the user ``ring`` ring until they are told otherwise, those to a number of three digits are answered
with that status, and all others are taken and echo what they hear. Everything but the sound happens
in one thread, so what a command did is done when it is answered.
"""

from __future__ import annotations

import json
import os
import re
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pjsua2 as pj

_POLL = 10
"""Milliseconds that pjsip may wait for a packet before commands are looked at."""


class _Call(pj.Call):  # type: ignore[misc]
    """A call in either direction."""

    def __init__(
        self, agent: Agent, account: pj.Account, number: int = pj.PJSUA_INVALID_ID
    ) -> None:
        super().__init__(account, number)
        self.agent = agent
        self.state = ""
        self.echo = number != pj.PJSUA_INVALID_ID

    def onCallState(self, _event: pj.OnCallStateParam) -> None:  # noqa: N802 - pjsip's name
        self.state = self.getInfo().stateText

    def onCallMediaState(self, _event: pj.OnCallMediaStateParam) -> None:  # noqa: N802 - pjsip's
        for index, media in enumerate(self.getInfo().media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                line = self.getAudioMedia(index)
                source = line if self.echo else self.agent.tone
                source.startTransmit(line)

    def reply(self, status: int) -> None:
        answer = pj.CallOpParam()
        answer.statusCode = status
        with suppress(pj.Error):  # the caller may have cancelled it meanwhile
            self.answer(answer)


class _Account(pj.Account):  # type: ignore[misc]
    """Who the agent is, here or at a registrar."""

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self.agent = agent
        self.answered: list[int] = []

    def onIncomingCall(self, event: pj.OnIncomingCallParam) -> None:  # noqa: N802 - pjsip's name
        call = _Call(self.agent, self, event.callId)
        self.agent.calls.append(call)
        asked = re.search(r"sips?:(\w+)@", event.rdata.wholeMsg)
        user = asked[1] if asked else ""
        status = 180 if user == "ring" else int(user) if re.fullmatch(r"\d{3}", user) else 200
        self.agent.later.append(lambda: call.reply(status))

    def onRegState(self, event: pj.OnRegStateParam) -> None:  # noqa: N802 - pjsip's name
        self.answered.append(event.code)


class Agent:
    """The endpoint and its commands."""

    def __init__(self, address: str, port: int, rtp: int, rtp_ports: int) -> None:
        self.address, self.rtp, self.rtp_ports = address, rtp, rtp_ports
        self.calls: list[_Call] = []
        self.trunks: dict[str, _Account] = {}
        self.later: list[Callable[[], None]] = []
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        self.endpoint.libInit(_quiet())
        for kind in self._transports():
            transport = pj.TransportConfig()
            transport.port, transport.boundAddress = port, address
            self.endpoint.transportCreate(kind, transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self.tone = pj.ToneGenerator()
        self.tone.createToneGenerator(8000)
        self._hum()
        self.own = _Account(self)
        host = f"[{address}]" if self.is_ipv6 else address
        self.own.create(self._account(f"sip:agent@{host}:{port}"))

    @property
    def is_ipv6(self) -> bool:
        """Whether it listens on IPv6, over which PyPI's pjsip can answer and no more."""
        return ":" in self.address

    def _transports(self) -> tuple[int, int]:
        if self.is_ipv6:
            return pj.PJSIP_TRANSPORT_UDP6, pj.PJSIP_TRANSPORT_TCP6
        return pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_TCP

    def _hum(self) -> None:
        tone = pj.ToneDesc()
        tone.freq1, tone.freq2, tone.on_msec, tone.off_msec = 440, 0, 1000, 0
        tones = pj.ToneDescVector()
        tones.append(tone)
        self.tone.play(tones, True)

    def _account(self, identity: str) -> pj.AccountConfig:
        config = pj.AccountConfig()
        config.idUri = identity
        config.natConfig.contactRewriteUse = 0
        config.natConfig.sipOutboundUse = 0
        config.natConfig.udpKaIntervalSec = 0
        media = config.mediaConfig
        media.transportConfig.port, media.transportConfig.portRange = self.rtp, self.rtp_ports
        media.transportConfig.boundAddress = self.address
        return config

    def register(self, registrar: str, user: str = "trunk", password: str = "") -> None:
        """Register, or do so again; with a password where the registrar asks for one."""
        if registrar in self.trunks:
            self.trunks[registrar].setRegistration(True)
            return
        config = self._account(f"sip:{user}@{registrar}")
        config.regConfig.registrarUri = f"sip:{registrar}"
        config.regConfig.timeoutSec = 300
        if password:
            credentials = pj.AuthCredInfo("digest", "*", user, 0, password)
            config.sipConfig.authCreds.append(credentials)
        self.trunks[registrar] = _Account(self)
        self.trunks[registrar].create(config)

    def registered(self) -> list[int]:
        """Return the status of every answer to a registration."""
        return [status for trunk in self.trunks.values() for status in trunk.answered]

    def options(self, uri: str) -> None:
        """Ask somebody for OPTIONS, as PBXs do to see whether a peer is there."""
        request = pj.SendRequestParam()
        request.method = "OPTIONS"
        request.txOption.targetUri = uri
        self.own.sendRequest(request)

    def call(self, uri: str, registrar: str = "") -> None:
        """Call somebody; as who the agent is at a registrar, if one is named."""
        made = _Call(self, self.trunks[registrar] if registrar else self.own)
        self.calls.append(made)
        made.makeCall(uri, pj.CallOpParam(True))

    def reply(self, status: int) -> None:
        """Answer the calls that ring."""
        for call in self.calls:
            if call.isActive() and call.getInfo().state in (
                pj.PJSIP_INV_STATE_INCOMING,
                pj.PJSIP_INV_STATE_EARLY,
            ):
                call.reply(status)

    def hangup(self) -> None:
        """End all calls."""
        self.endpoint.hangupAllCalls()

    def states(self) -> list[str]:
        """Return the state of every call so far, as pjsip calls it: ``CONFIRMED``."""
        return [call.state for call in self.calls]

    def media(self) -> list[dict[str, int]]:
        """Return RTP packets sent, received and lost on the way here, by live call."""
        return [_counted(call) for call in self.calls if call.isActive() and call.hasMedia()]

    def stop(self) -> None:
        """Go without a word to anybody."""
        sys.stdout.flush()
        os._exit(0)

    def run(self, commands: int, answer: Callable[[object], None]) -> None:
        """Obey until standard input ends."""
        rest = b""
        while True:
            self.endpoint.libHandleEvents(_POLL)
            while self.later:  # pjsip does not bear a rejection while it tells of the call
                self.later.pop(0)()
            while select.select([commands], [], [], 0)[0]:
                read = os.read(commands, 65536)
                if not read:
                    self.stop()
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    answer(self._obey(json.loads(line)))

    def _obey(self, command: dict[str, Any]) -> object:
        try:
            return getattr(self, command["do"])(*command["with"])
        except pj.Error as error:
            return {"error": error.info()}


def _counted(call: _Call) -> dict[str, int]:
    counted = call.getStreamStat(0).rtcp
    return {
        "sent": counted.txStat.pkt,
        "received": counted.rxStat.pkt,
        "lost": counted.rxStat.loss,
    }


def _quiet() -> pj.EpConfig:
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = int(os.environ.get("AGENT_LOG", "0"))
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.medConfig.noVad = True
    config.medConfig.ecTailLen = 0
    return config


def main(address: str, port: str, rtp: str, rtp_ports: str) -> None:
    """Be an endpoint.

    Args:
        address: where to listen, for SIP over UDP and TCP and for RTP.
        port: of SIP.
        rtp: the first port of RTP.
        rtp_ports: how many ports may be used for it.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # pjsip prints to it until it is told how much
    agent = Agent(address, int(port), int(rtp), int(rtp_ports))

    def answer(what: object) -> None:
        out.write(json.dumps(what) + "\n")
        out.flush()

    answer("ready")
    agent.run(0, answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
