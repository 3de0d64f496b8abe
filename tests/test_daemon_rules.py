"""The daemon in a pod: it follows the rules as a ConfigMap changes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.machine import Machine, machine
from tests.cli.world import japan
from tests.support.config_map import WRAPPER, ConfigMapVolume
from tests.support.list_server import status
from tests.test_daemon import Daemon, daemon, wait_for

SOURCE = '[source.country]\nurls = ["http://127.0.0.1:{port}/{{cc}}.json"]\n'
OFFICE = '[exception.office]\nprefixes = ["45.9.0.0/16"]\n'


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[tuple[Machine, ConfigMapVolume]]:
    """A machine whose rules are a ConfigMap."""
    with machine(tmp_path) as made:
        (made.rules / "50-test.toml").unlink()
        volume = ConfigMapVolume(tmp_path / "kubelet")
        made.wrapper = WRAPPER
        made.environment |= {"VOLUME": str(volume.path), "AT": str(made.rules)}
        yield made, volume


@contextmanager
def following(where: Machine) -> Iterator[Daemon]:
    with daemon(where, "--follow-rules") as running:
        yield running


def base(where: Machine) -> dict[str, str]:
    return {"10-source.toml": SOURCE.format(port=where.server.port)}


def test_it_applies_each_change_and_downloads_only_what_is_missing(
    pod: tuple[Machine, ConfigMapVolume],
) -> None:
    where, volume = pod
    volume.write(base(where))
    with following(where) as running:
        running.until("rules: updated 6 sets")
        asked = len(where.server.requests)
        assert where.gets_in("45.9.0.1") == [False]
        volume.write({**base(where), "20-office.toml": OFFICE})
        running.until("rules: updated")
        assert where.gets_in("45.9.0.1") == [True]
        volume.write(base(where))
        running.until("rules: updated")
        assert where.gets_in("45.9.0.1") == [False]
        assert len(where.server.requests) == asked
        assert running.end().code == 0
    assert where.ok("status", "--json").json["rules_edited"] is False


def test_it_applies_what_changed_while_it_did_not_run(
    pod: tuple[Machine, ConfigMapVolume],
) -> None:
    where, volume = pod
    volume.write(base(where))
    where.ok("refresh")
    volume.write({**base(where), "20-office.toml": OFFICE})
    asked = len(where.server.requests)
    with following(where) as running:
        running.until("rules: updated")
        assert where.gets_in("45.9.0.1") == [True]
        assert running.end().code == 0
    assert len(where.server.requests) == asked


def test_without_the_option_it_leaves_edited_rules_alone(
    pod: tuple[Machine, ConfigMapVolume],
) -> None:
    where, volume = pod
    volume.write(base(where))
    where.ok("refresh")
    with daemon(where) as running:
        running.until("watching every")
        volume.write({**base(where), "20-office.toml": OFFICE})
        where.break_set()
        running.until("watch: repaired 1 set")
        where.break_set()
        running.until("watch: repaired 1 set")
        assert where.gets_in("45.9.0.1") == [False]
        assert running.end().code == 0


def test_mistakes_in_a_config_map_change_nothing_until_it_is_right(
    pod: tuple[Machine, ConfigMapVolume],
) -> None:
    where, volume = pod
    volume.write({**base(where), "20-wrong.toml": "[alow]\n"})
    with following(where) as running:
        running.until("20-wrong.toml:1: alow: unknown key")
        volume.write(base(where))
        running.until("rules: updated 6 sets")
        volume.write({**base(where), "20-wrong.toml": "[alow]\n"})
        running.until("rules: ")
        where.break_set()
        running.until("watch: repaired 1 set")
        volume.write({**base(where), "20-office.toml": OFFICE})
        running.until("rules: updated")
        assert where.gets_in("45.9.0.1") == [True]
        assert running.end().code == 0


def test_a_source_that_does_not_answer_yet_is_asked_again(
    pod: tuple[Machine, ConfigMapVolume],
) -> None:
    where, volume = pod
    where.serve("JP", status(503))
    where.environment["GEOFENCE_PATIENCE"] = "1"
    volume.write(base(where))
    with following(where) as running:
        running.until("rules: ")
        assert not where.observe().sets
        where.serve("JP", japan())
        running.until("rules: updated 6 sets")
        assert running.end().code == 0


def test_old_lists_are_downloaded_at_the_start(pod: tuple[Machine, ConfigMapVolume]) -> None:
    where, volume = pod
    volume.write(base(where))
    where.ok("refresh")
    where.age_lists(timedelta(days=2))
    asked = len(where.server.requests)
    with following(where) as running:
        running.until("watching every")
        wait_for(lambda: len(where.server.requests) > asked)
        assert running.end().code == 0
