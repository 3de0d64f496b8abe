from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.asterisk.real.asterisk import Asterisk, missing
from tests.asterisk.real.hosts import pbx_host


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Path], Asterisk]]:
    """Start an Asterisk with a directory of configuration, on a host of its own."""
    if missing():
        pytest.skip(missing())
    with ExitStack() as closing:

        def started(configuration: Path) -> Asterisk:
            host = closing.enter_context(pbx_host())
            (own := tmp_path / f"own-{configuration.name}").mkdir()
            return closing.enter_context(Asterisk(host, configuration, own))

        yield started
