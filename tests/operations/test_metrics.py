"""Metrics in Prometheus' text format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from geofence.geoip.atlas import make_atlas
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.operations.metrics import Measured, exposition
from geofence.operations.status import StatusReport, status
from geofence.state.atlas import StoredAtlas, save_atlas
from tests.chaos.ground import Ground, ground
from tests.cli.machine import BACKENDS
from tests.support.values import space

STRANGER = "45.9.1.1"


@pytest.fixture(params=BACKENDS)
def fenced(request: pytest.FixtureRequest, tmp_path: Path, lab: Lab) -> Iterator[Ground]:
    """A PBX with a fence and a world index."""
    with ground(tmp_path, request.param, lab) as made:
        made.machine.ok("refresh")
        spaces = {"DE": space("45.9.0.0/16")}
        save_atlas(made.machine.state, StoredAtlas(make_atlas(spaces, datetime.now(UTC)), {}))
        yield made


def values(text: str) -> dict[str, float]:
    """Return each sample under its name with its labels."""
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def knock(fenced: Ground, times: int) -> None:
    probe = Probe(ip_address(STRANGER), PBX[Family.IPV4], Transport.UDP, 5060)
    fenced.lab.fire([probe] * times)


def test_what_was_dropped_is_counted_on_by_new_rules_and_a_reboot(fenced: Ground) -> None:
    machine = fenced.machine
    knock(fenced, 3)
    machine.rule("61-more.toml", '[service.sip]\nports = ["5060/udp", "5070/udp"]\n')
    machine.ok("apply")
    machine.ok("remove")
    told = values(machine.ok("metrics").out)
    assert told["geofence_denied_packets_total service=sip"] == 3
    assert told["geofence_denied_bytes_total service=sip"] > 3 * 28
    assert told["geofence_denied_country_packets_total country=DE"] == 3
    assert told["geofence_fence_up family=ipv4"] == 0
    machine.ok("restore")
    told = values(machine.ok("metrics").out)
    assert told["geofence_fence_up family=ipv6"] == 1
    assert told["geofence_fence_as_applied"] == 1
    assert told["geofence_health health=well"] == 1
    assert told["geofence_denied_packets_total service=rtp"] == 0


def test_no_label_is_an_address(fenced: Ground) -> None:
    fenced.machine.ok("allow", "203.0.113.7")
    fenced.machine.ok("ban", "20.1.2.3")
    knock(fenced, 3)
    fenced.machine.ok("repair")
    text = fenced.machine.ok("metrics").out
    assert not re.search(r"\d+\.\d+\.\d+\.\d+|203\.0|20\.1\.2", text)
    told = values(text)
    assert told["geofence_bans"] == 1
    assert told["geofence_exceptions state=active"] == 2


def test_each_run_writes_them_where_the_rules_say(fenced: Ground, tmp_path: Path) -> None:
    file = tmp_path / "exported" / "geofence.prom"
    file.parent.mkdir()
    fenced.machine.rule("62-metrics.toml", f'[metrics]\ntextfile = "{file}"\n')
    fenced.machine.ok("apply")
    first = file.read_text("utf-8")
    assert values(first)["geofence_fence_up family=ipv4"] == 1
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in file.parent.iterdir()] == ["geofence.prom"]
    fenced.machine.ok("repair")
    assert file.read_text("utf-8") == first  # written a moment ago
    file.unlink()
    fenced.machine.ok("repair")
    assert values(file.read_text("utf-8"))


def test_a_directory_that_is_not_there_is_told_and_no_failure(fenced: Ground) -> None:
    fenced.machine.rule("62-metrics.toml", '[metrics]\ntextfile = "/nowhere/geofence.prom"\n')
    told = fenced.machine.ok("apply", "--json").json
    assert "metrics-not-written" in {each["kind"] for each in told["note_facts"]}
    fenced.assert_fenced()


def test_a_relative_path_or_another_ending_is_refused(fenced: Ground) -> None:
    for wrong in ("geofence.prom", "/nowhere/geofence.txt"):
        done = fenced.machine.run("metrics", "--textfile", wrong)
        assert done.code == 2
        assert wrong in done.err


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> StatusReport:
    """The status of a fence that is well."""
    with Lab() as lab, ground(tmp_path_factory.mktemp("well"), "nftables", lab) as made:
        made.machine.ok("refresh")
        with lab.pbx.entered():
            return status(made.site)


def test_names_keep_to_the_conventions(standing: StatusReport) -> None:
    text = exposition(Measured(standing, last_refresh=datetime.now(UTC))).decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helped = set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))
    assert set(kinds) == helped
    for name, kind in kinds.items():
        assert re.fullmatch(r"geofence_[a-z_]+", name)
        assert name.endswith("_total") is (kind == "counter")
    assert " 1.7" in text  # seconds since the epoch: the moment, not an age


def test_names_in_dns_are_no_labels(standing: StatusReport) -> None:
    hosts = [each for each in standing.lists if each.id.kind.is_from_dns]
    text = exposition(Measured(replace(standing, lists=standing.lists))).decode()
    assert all(each.id.name not in text for each in hosts)
    assert 'list="country JP"' in text
