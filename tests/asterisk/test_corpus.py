"""The corpus: small configurations with the traits of real ones, and what each must read as."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from geofence.asterisk.reader import read_configuration
from geofence.asterisk.reading import Listener, PortRange, Reading, Trunk
from geofence.asterisk.reading import WarningKind as Kind
from geofence.cli.views.discover import reading_json

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(each.name for each in CORPUS.iterdir() if each.is_dir())
Json = dict[str, Any]

WARNINGS: dict[str, dict[Kind, int]] = {
    "01-packaged-samples": {Kind.NO_SIP_TRANSPORT: 1},
    "03-panel-generated-tree": {Kind.KEY_TWICE: 1},
    "05-ipv6-only-with-globs": {Kind.TRUNK_IS_PRIVATE: 1},
    "07-converted-from-chan-sip": {Kind.FORWARDED_PORT: 1},
    "08-operator-inside-private-space": {Kind.TRUNK_IS_PRIVATE: 2},
    "09-database-backed": {Kind.TRUNKS_IN_DATABASE: 1},
    "10-cloud-carrier-lists": {
        Kind.TRUNK_IS_EVERYBODY: 1,
        Kind.MEDIA_ELSEWHERE: 1,
        Kind.TRUNK_IS_THIS_HOST: 2,
    },
    "11-file-that-asterisk-refuses": {Kind.INCLUDE_MISSING: 1},
    "12-objects-that-asterisk-drops": {
        Kind.OPTION_UNKNOWN: 1,
        Kind.TYPE_UNKNOWN: 1,
        Kind.SPACE_AFTER_COMMA: 1,
        Kind.BOUND_TWICE: 1,
        Kind.OBJECT_DUPLICATE: 1,
        Kind.TYPE_GIVEN_BEFORE: 1,
        Kind.OPTION_MISSING: 1,
    },
}
"""The warnings of expected.json, which are sentences, by their kinds."""
UNSEEN: dict[str, dict[Kind, int]] = {
    "09-database-backed": {Kind.REALTIME: 5},
    "11-file-that-asterisk-refuses": {Kind.FILE_INVALID: 1},
}


def expected(name: str) -> Json:
    found: Json = json.loads((CORPUS / name / "expected.json").read_text())
    return found


def read(name: str) -> Reading:
    return read_configuration(CORPUS / name)


def service(each: Listener) -> Json:
    return {
        "proto": each.protocol,
        "port": each.port,
        "families": sorted(each.families),
        "use": each.use,
        "bind": each.bind,
        "exposed": each.exposed,
    }


def wanted_service(each: Json) -> Json:
    """What is expected, without the source and what is in parentheses: ``https (wss)``."""
    return {**without(each, "source"), "use": each["use"].split(" (")[0]}


def without(each: Json, *keys: str) -> Json:
    return {key: value for key, value in each.items() if key not in keys}


def ports(each: PortRange, wanted: Json) -> Json:
    """The keys of a range that an expectation has."""
    known: Json = {
        "declared": each.declared and list(each.declared),
        "declared_from_23": each.declared_from_23 and list(each.declared_from_23),
        "asterisk_22": each.declared and list(each.declared),
        "first": each.first,
        "last": each.last,
        "families": sorted(each.families),
        "needed": each.needed,
    }
    return {key: known[key] for key in wanted if key != "source"}


def trunk(each: Trunk) -> Json:
    return {
        "host": each.host,
        "kind": each.kind,
        "port": each.port,
        "srv": each.srv,
        "except": list(each.left_out),
        "service": each.use,
    }


def wanted_trunk(each: Json) -> Json:
    defaults = {"srv": False, "except": [], "service": "sip"}
    return defaults | without(each, "source", "note")


def in_order(values: list[Json]) -> list[str]:
    return sorted(json.dumps(each, sort_keys=True) for each in values)


@pytest.mark.parametrize("name", NAMES)
def test_services_are_those_that_listen(name: str) -> None:
    certain = [service(each) for each in read(name).listeners if each.certain]
    assert in_order(certain) == in_order(
        [wanted_service(each) for each in expected(name)["services"]]
    )


@pytest.mark.parametrize("name", NAMES)
def test_ports_of_media_are_those_that_asterisk_may_use(name: str) -> None:
    reading, wanted = read(name), expected(name)
    assert reading.rtp is not None
    assert ports(reading.rtp, wanted["rtp"]) == without(wanted["rtp"], "source")
    more = wanted.get("rtp_more", [])
    assert [ports(got, each) for got, each in zip(reading.rtp_more, more, strict=True)] == [
        without(each, "source") for each in more
    ]
    if wanted["udptl"] is None:
        assert reading.udptl is None
    else:
        assert reading.udptl is not None
        assert ports(reading.udptl, wanted["udptl"]) == wanted["udptl"]


@pytest.mark.parametrize("name", NAMES)
def test_trunks_are_those_that_objects_name(name: str) -> None:
    got = [trunk(each) for each in read(name).trunks]
    assert in_order(got) == in_order([wanted_trunk(each) for each in expected(name)["trunks"]])


@pytest.mark.parametrize("name", NAMES)
def test_networks_and_servers(name: str) -> None:
    reading, wanted = read(name), expected(name)
    assert list(reading.local_nets) == wanted["local_nets"]
    assert list(reading.external) == [re.sub(r" \(.*", "", each) for each in wanted["external"]]
    printed = reading_json(reading)
    assert (printed["stun"], printed["turn"]) == (wanted["stun"], wanted["turn"])


@pytest.mark.parametrize("name", NAMES)
def test_warnings_and_what_is_unseen_by_kind(name: str) -> None:
    reading = read(name)
    assert Counter(each.kind for each in reading.warnings) == WARNINGS.get(name, {})
    assert Counter(each.kind for each in reading.unseen) == UNSEEN.get(name, {})
    assert list(reading.invalid) == expected(name).get("invalid", [])


def test_expectations_with_warnings_have_kinds() -> None:
    assert {name for name in NAMES if expected(name)["warnings"]} == set(WARNINGS)
    assert {name for name in NAMES if expected(name)["unseen"]} == set(UNSEEN)


FORBIDDEN_PORTS = {
    "01-packaged-samples": {5060, 5061, 8088},
    "03-panel-generated-tree": {4569},
    "04-browser-phones": {5066, 7443},
    "07-converted-from-chan-sip": {5998, 5999, 15061, 16556},
    "12-objects-that-asterisk-drops": {5071, 5072, 5073},
}
"""Ports of ``must_not``, which are not even said to be open perhaps."""
FORBIDDEN_HOSTS = {
    "02-home-line-behind-nat": {"192.168.40.0/24", "198.51.100.0/24"},
    "04-browser-phones": {"stun.example.net", "turn.example.net"},
    "05-ipv6-only-with-globs": {"a.zone.example", "a.zone.example."},
    "06-wizard-one-provider": {"198.51.100.250", "61", "62"},
    "07-converted-from-chan-sip": {"away.example"},
    "10-cloud-carrier-lists": {"0.0.0.0/0", "127.0.0.1", "203.0.113.10", "192.0.2.200"},
}
FORBIDDEN_FILES = {"06-wizard-one-provider": {"users/70.conf"}}


@pytest.mark.parametrize("name", sorted(FORBIDDEN_PORTS))
def test_ports_that_must_not_be_listed(name: str) -> None:
    assert FORBIDDEN_PORTS[name] & {each.port for each in read(name).listeners} == set()


@pytest.mark.parametrize("name", sorted(FORBIDDEN_HOSTS))
def test_hosts_that_must_not_be_trunks(name: str) -> None:
    assert FORBIDDEN_HOSTS[name] & {each.host for each in read(name).trunks} == set()


@pytest.mark.parametrize("name", sorted(FORBIDDEN_FILES))
def test_files_that_must_not_be_read(name: str) -> None:
    assert FORBIDDEN_FILES[name] & set(read(name).files) == set()


def test_what_an_unknown_option_drops_may_be_open_all_the_same() -> None:
    [perhaps] = [
        each for each in read("12-objects-that-asterisk-drops").listeners if not each.certain
    ]
    assert perhaps.port == 5070
