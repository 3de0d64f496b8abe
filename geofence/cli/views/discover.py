"""What Asterisk's configuration says, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geofence.asterisk.reading import Listener, PortRange, Reading, Server, Trunk, WarningKind
from geofence.screen import Screen
from geofence.sentences.asterisk import reading_sentence, reading_warning_json
from geofence.translation import tr, trn


def show_reading(screen: Screen, reading: Reading) -> None:
    """Print what listens, who the trunks are, and what could not be seen."""
    _show_ports(screen, reading)
    _show_trunks(screen, reading)
    for line in _facts(reading):
        screen.say(line)
    if reading.unseen:
        screen.say("")
        screen.say(tr("Not visible in these files:"), "bold yellow")
        for each in reading.unseen:
            screen.say(f"  {reading_sentence(each)}", "yellow")
    for each in reading.warnings:
        screen.note(reading_sentence(each), "yellow")


def _show_ports(screen: Screen, reading: Reading) -> None:
    rows = [_listener_row(each) for each in reading.listeners]
    if reading.rtp is not None:
        rows.append(_range_row(reading.rtp, "rtp"))
    rows += [_range_row(each, "rtp") for each in reading.rtp_more]
    if reading.udptl is not None:
        use = tr("udptl (fax)") if reading.udptl.needed else tr("udptl (unused)")
        rows.append(_range_row(reading.udptl, use))
    if not rows:
        screen.say(tr("Asterisk listens on no port that these files tell."))
        return
    headings = (tr("use"), tr("port"), tr("address"), tr("IP versions"), tr("where"))
    screen.table(headings, rows)


def _listener_row(each: Listener) -> tuple[str, ...]:
    use = each.use.value
    if not each.exposed:
        use = tr("{use} (this host only)", use=use)
    elif not each.certain:
        use = tr("{use} (perhaps)", use=use)
    return (use, f"{each.port}/{each.protocol}", each.bind, _versions(each.families), each.source)


def _range_row(each: PortRange, use: str) -> tuple[str, ...]:
    return (use, str(each.ports), "-", _versions(each.families), each.source)


def _versions(families: frozenset[int]) -> str:
    return ", ".join(f"IPv{each}" for each in sorted(families))


def _show_trunks(screen: Screen, reading: Reading) -> None:
    screen.say("")
    if any(each.kind is WarningKind.TRUNKS_IN_DATABASE for each in reading.warnings):
        screen.say(tr("Trunks may be in the database, which cannot be read."), "yellow")
    elif not reading.trunks:
        screen.say(tr("There is no trunk in these files."))
    if not reading.trunks:
        return
    screen.table(
        (tr("trunk"), tr("port"), tr("where")),
        [(_host(each), _port(each), ", ".join(each.sources)) for each in reading.trunks],
    )


def _host(each: Trunk) -> str:
    if not each.left_out:
        return each.host
    return tr("{host} without {left_out}", host=each.host, left_out=", ".join(each.left_out))


def _port(each: Trunk) -> str:
    if each.srv:
        return tr("from DNS (SRV)")
    return tr("any") if each.port is None else str(each.port)


def _facts(reading: Reading) -> Iterator[str]:
    if reading.local_nets or reading.external or reading.stun or reading.turn:
        yield ""
    if reading.local_nets:
        yield tr("Local networks: {networks}", networks=", ".join(reading.local_nets))
    if reading.external:
        yield tr("Seen from outside as: {addresses}", addresses=", ".join(reading.external))
    if reading.stun:
        yield tr("STUN servers: {servers}", servers=_servers(reading.stun))
    if reading.turn:
        yield tr("TURN servers: {servers}", servers=_servers(reading.turn))
    if reading.invalid:
        yield ""
        yield trn(
            len(reading.invalid),
            "Asterisk refuses {files}.",
            "Asterisk refuses {files}.",
            files=", ".join(reading.invalid),
        )


def _servers(servers: Sequence[Server]) -> str:
    return ", ".join(f"{each.host}:{each.port}" for each in servers)


def reading_json(reading: Reading) -> dict[str, object]:
    """Return the same for scripts."""
    return {
        "services": [_listener_json(each) for each in reading.listeners],
        "rtp": None if reading.rtp is None else _range_json(reading.rtp),
        "rtp_more": [_range_json(each) for each in reading.rtp_more],
        "udptl": None if reading.udptl is None else _range_json(reading.udptl),
        "trunks": [_trunk_json(each) for each in reading.trunks],
        "local_nets": list(reading.local_nets),
        "external": list(reading.external),
        "stun": [_server_json(each) for each in reading.stun],
        "turn": [_server_json(each) for each in reading.turn],
        "unseen": [reading_warning_json(each) for each in reading.unseen],
        "warnings": [reading_warning_json(each) for each in reading.warnings],
        "invalid": list(reading.invalid),
        "files": list(reading.files),
    }


def _listener_json(each: Listener) -> dict[str, object]:
    return {
        "proto": each.protocol.value,
        "port": each.port,
        "families": sorted(each.families),
        "use": each.use.value,
        "bind": each.bind,
        "exposed": each.exposed,
        "certain": each.certain,
        "source": each.source,
    }


def _range_json(each: PortRange) -> dict[str, object]:
    return {
        "declared": _pair(each.declared),
        "declared_from_23": _pair(each.declared_from_23),
        "first": each.first,
        "last": each.last,
        "families": sorted(each.families),
        "needed": each.needed,
        "source": each.source,
    }


def _pair(ports: tuple[int, int] | None) -> list[int] | None:
    return None if ports is None else list(ports)


def _trunk_json(each: Trunk) -> dict[str, object]:
    return {
        "host": each.host,
        "kind": each.kind.value,
        "port": each.port,
        "srv": each.srv,
        "except": list(each.left_out),
        "service": each.use.value,
        "source": list(each.sources),
    }


def _server_json(each: Server) -> dict[str, object]:
    return {"host": each.host, "port": each.port}
