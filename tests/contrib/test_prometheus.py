"""What geofence exports is taken by the real programs, and its alerts fire."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.chaos.ground import Ground
from tests.contrib.watchers import CONTRIB, Watchers, fetched

RULES = CONTRIB / "prometheus"


def test_promtool_has_nothing_to_object_to(
    watchers: Watchers, exported: tuple[Ground, Path]
) -> None:
    assert watchers.promtool("check", "metrics", given=exported[1].read_text("utf-8")) == ""


def test_alerts_are_valid_and_fire_when_they_should(watchers: Watchers) -> None:
    assert "6 rules" in watchers.promtool("check", "rules", str(RULES / "geofence.rules.yml"))
    for name in ("geofence.test.yml", "geofence.days.test.yml"):
        assert "SUCCESS" in watchers.promtool("test", "rules", str(RULES / name))


@pytest.mark.parametrize("name", ["prometheus/geofence.rules.yml", "grafana/geofence.json"])
def test_every_metric_that_is_asked_for_is_exported(
    exported: tuple[Ground, Path], name: str
) -> None:
    asked = set(re.findall(r"\bgeofence_\w+", (CONTRIB / name).read_text("utf-8")))
    text = exported[1].read_text("utf-8")
    assert asked
    assert [each for each in sorted(asked) if f"# TYPE {each} " not in text] == []


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads((CONTRIB / "grafana/geofence.json").read_text("utf-8"))
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in dashboard["panels"]:
        assert panel["title"]
        expressions = [target["expr"] for target in panel["targets"]]
        assert all(each.count("(") == each.count(")") for each in expressions)


def test_node_exporter_serves_them(watchers: Watchers, exported: tuple[Ground, Path]) -> None:
    ground, file = exported
    with watchers.node_exporter(ground.lab.pbx, file.parent) as url:
        told = fetched(ground.lab.pbx, url)
    assert "node_textfile_scrape_error 0" in told
    assert 'geofence_fence_up{family="ipv4"} 1' in told
    assert f'node_textfile_mtime_seconds{{file="{file}"}}' in told
