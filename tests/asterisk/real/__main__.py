"""Records what a running Asterisk answers: ``python -m tests.asterisk.real [NAME…]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.asterisk.real.asterisk import Asterisk, missing
from tests.asterisk.real.cases import cases
from tests.asterisk.real.hosts import pbx_host
from tests.asterisk.real.transcript import record, take


def main() -> None:
    """Record all configurations, or those that are named."""
    if missing():
        sys.exit(missing())
    for case in cases():
        if case.name in (sys.argv[1:] or {case.name}):
            with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as own:
                directory = case.directory(Path(place))
                with pbx_host(case.names) as host, Asterisk(host, directory, Path(own)) as one:
                    record(case.name, take(one))


if __name__ == "__main__":
    main()
