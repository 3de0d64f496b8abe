"""Imported by the fork server alone: loads what commands import, and what typer puts off till used.

A module that is no longer there only costs time: the command imports what it needs anyway.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

from geofence.cli.app import app
from geofence.errors import UsageError

_MODULES = """
geofence.__main__ geofence.apply geofence.backends.ipset.backend geofence.backends.nftables.backend
geofence.cli.choices geofence.cli.history_view geofence.cli.plan_view geofence.cli.progress
geofence.cli.run_view geofence.cli.status_view geofence.cli.why_view geofence.fetch.fetcher
geofence.operations.boot geofence.operations.exceptions geofence.operations.history
geofence.operations.look geofence.operations.notify geofence.operations.run
geofence.operations.terminal geofence.policy.load geofence.state.lists geofence.state.generations
netaddr requests rich.console rich.progress rich.table tests.cli.forked
"""

for module in _MODULES.split():
    with suppress(ModuleNotFoundError):
        import_module(module)
with suppress(UsageError):
    app(["--lock-wait", "1", "why", "nobody"], standalone_mode=False)
