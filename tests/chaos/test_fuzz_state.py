"""Whatever stands in the state directory, what comes of it is the fence or a sentence.

``tests/state`` fuzzes the files of lists and generations one by one; here are the small files, and
what ``restore`` makes of all together. A longer run is ``python -m tests.chaos fuzz``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.apply import plan_for
from geofence.backends import registry
from geofence.cli.views.run import run_json
from geofence.merge import closed
from geofence.model.policy import BackendChoice
from geofence.operations.confirm import lapsed
from geofence.operations.restore import restore
from geofence.operations.site import Site
from geofence.state.outcomes import Ending, Journal
from tests.cli.machine import Machine, machine
from tests.state.test_generations import ENCODED, FACTS, PACKED, json_values, sealed

MOMENTS = st.sampled_from(
    ("2026-02-01T03:30:00+00:00", "2026-02-01T03:30:00", "0001-01-01T00:00:00+14:00", "now", "")
)
VALUES = (
    json_values
    | MOMENTS
    | st.sampled_from([float("nan"), float("inf"), -1, 1 << 80, True, ["/bin/true"], ["true"]])
)
OUTCOME: dict[str, Any] = {
    "command": "refresh",
    "ending": "done",
    "at": "2026-02-01T03:30:00+00:00",
    "message": "",
    "notify_command": [],
    "notify_mail": ["root"],
    "notify_webhook_file": "/etc/geofence/webhook",
    "healed": 0,
    "healed_at": None,
}
PROBATION: dict[str, Any] = {
    "token": "x",
    "former": 1,
    "deadline": "2026-02-01T03:30:00+00:00",
    "until": 0.0,
    "boot": "x",
}


def changed(facts: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """A small file with other values, fewer keys or no sense at all."""
    others = st.dictionaries(st.sampled_from(sorted(facts)), VALUES)
    fewer = st.sets(st.sampled_from(sorted(facts)))
    right = st.builds(
        lambda other, gone: {k: v for k, v in {**facts, **other}.items() if k not in gone},
        others,
        fewer | st.just(set[str]()),
    )
    return (
        right.map(lambda made: json.dumps(made).encode())
        | VALUES.map(lambda value: json.dumps(value).encode())
        | st.binary()
    )


@given(changed(OUTCOME))
def test_an_outcome_is_whole_or_unknown(content: bytes) -> None:
    with TemporaryDirectory() as directory:
        (Path(directory) / "outcome.json").write_bytes(content)
        outcome = Journal(Path(directory)).outcome()
    if outcome is None:
        return
    assert outcome.ending in Ending
    assert outcome.at.tzinfo is UTC
    assert outcome.healed_at is None or outcome.healed_at <= datetime.max.replace(tzinfo=UTC)
    assert all(Path(program).is_absolute() for program in outcome.notify_command[:1])
    assert not any(address.startswith("-") for address in outcome.notify_mail)
    assert not outcome.notify_webhook_file or Path(outcome.notify_webhook_file).is_absolute()
    assert type(outcome.healed) is int


@given(changed(PROBATION))
def test_a_damaged_probation_counts_as_missing(content: bytes) -> None:
    with TemporaryDirectory() as directory:
        (Path(directory) / "probation.json").write_bytes(content)
        probation = Journal(Path(directory)).probation()
        over = lapsed(Site(state_directory=Path(directory)))
    if probation is not None:
        assert probation.former is None or probation.former >= 0
        assert (over is None) is (probation.boot != "x" and over is None)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("fuzz"), "nftables") as made:
        made.ok("refresh")
        yield made


GENERATIONS = (
    st.just(ENCODED)
    | st.builds(
        lambda at, octet: ENCODED[:at] + bytes([octet]) + ENCODED[at + 1 :],
        st.integers(0, len(ENCODED) - 1),
        st.integers(0, 255),
    )
    | st.integers(0, len(ENCODED)).map(lambda length: ENCODED[:length])
    | st.binary()
    | st.builds(
        lambda key, value: sealed(
            json.dumps({**json.loads(FACTS), key: value}).encode() + b"\n" + PACKED
        ),
        st.sampled_from(sorted(json.loads(FACTS))),
        json_values,
    )
)


@settings(deadline=None)  # it does real work
@given(
    st.lists(GENERATIONS, max_size=2),
    st.none() | changed(PROBATION),
    st.none() | changed(OUTCOME),
)
def test_restore_from_any_bytes_gives_a_fence_if_one_was_applied(
    installed: Machine, generations: list[bytes], probation: bytes | None, outcome: bytes | None
) -> None:
    with TemporaryDirectory() as directory:
        state = Path(directory)
        (state / "generations").mkdir(mode=0o700)
        for number, content in enumerate(generations, 7):
            (state / "generations" / f"{number:08d}.generation").write_bytes(content)
        for name, written in (("probation.json", probation), ("outcome.json", outcome)):
            if written is not None:
                (state / name).write_bytes(written)
        installed.clear()
        site = Site(installed.rules, state, backend=BackendChoice.NFTABLES)
        with installed.host.entered():
            over = lapsed(site)
            asked_for = over.former if over else generations
            report = restore(site)
            newest, _ = site.generations.newest()
            if not asked_for:
                assert not registry.load("nftables").observe().rules
            else:
                wanted = closed(site.policy()) if newest is None else newest.ruleset
                assert plan_for(registry.load("nftables"), wanted).is_empty
    assert report.generation == (newest.number if newest else None)
    run_json(report)
