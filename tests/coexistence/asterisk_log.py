"""Lines as Asterisk 22 writes them into its logs, all addresses and names made up."""

from __future__ import annotations

from datetime import UTC, datetime

_NOTICE = "NOTICE[{thread}] res_pjsip/pjsip_distributor.c: "
_FAILED = "Request '{method}' from '{sender}' failed for '{at}' (callid: {call}) - {why}"
_EVENT = (
    'SECURITY[212] res_security_log.c: SecurityEvent="{event}",EventTV="{time}",'
    'Severity="{severity}",Service="{service}",EventVersion="1",AccountID="{account}",'
    'SessionID="{call}",LocalAddress="{version}/{transport}/{local}",'
    'RemoteAddress="{version}/{transport}/{remote}"{more}'
)
REASONS = (
    "No matching endpoint found",
    "No matching endpoint found after 6 tries in 2031.114 ms",
    "Failed to authenticate",
    "Error to authenticate",
    "Not match Endpoint ACL",
    "Not match Endpoint Contact ACL",
)
RESPONSE = ',Challenge="1764084663/8a77",Response="1f2e",ExpectedResponse=""'


def now() -> str:
    """The time as Asterisk writes it where nothing else is configured; fail2ban reads it as UTC."""
    return datetime.now(UTC).strftime("%b %d %H:%M:%S")


def notice(  # noqa: PLR0913 - a field each
    address: str,
    why: str = REASONS[0],
    *,
    method: str = "REGISTER",
    sender: str = "<sip:7001@pbx.example>",
    call: str = "call-1",
    thread: str = "4410",
) -> str:
    """A NOTICE on a request that failed."""
    at = f"[{address}]:5071" if ":" in address else f"{address}:5071"
    head = _NOTICE.format(thread=thread)
    return head + _FAILED.format(method=method, sender=sender, at=at, call=call, why=why)


def event(  # noqa: PLR0913 - a field each
    address: str,
    kind: str = "InvalidAccountID",
    *,
    transport: str = "UDP",
    account: str = "7001",
    call: str = "call-1",
    service: str = "PJSIP",
    more: str = "",
) -> str:
    """A SECURITY line."""
    version = "IPV6" if ":" in address else "IPV4"
    informational = kind in ("ChallengeSent", "SuccessfulAuth")
    return _EVENT.format(
        event=kind,
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        severity="Informational" if informational else "Error",
        service=service,
        account=account,
        call=call,
        version=version,
        transport=transport,
        local="2001:db8:100::10/5060" if version == "IPV6" else "198.51.100.10/5060",
        remote=f"{address}/5071",
        more=more,
    )


def attempt(address: str, call: str = "call-1") -> tuple[str, str]:
    """The two lines that one failed attempt writes."""
    return notice(address, call=call), event(address, call=call)
