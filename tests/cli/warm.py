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
geofence.cli.arguments geofence.cli.views.history geofence.cli.views.plan geofence.cli.progress
geofence.cli.running geofence.cli.views.run geofence.cli.views.status geofence.cli.views.why
geofence.fetch.fetcher geofence.operations.restore geofence.operations.allow
geofence.operations.history geofence.operations.status geofence.operations.outcome
geofence.operations.commit geofence.operations.ssh geofence.policy.load geofence.state.lists
geofence.state.generations netaddr requests rich.console rich.progress rich.table tests.cli.forked
"""

for module in _MODULES.split():
    with suppress(ModuleNotFoundError):
        import_module(module)
with suppress(UsageError):
    app(["--lock-wait", "1", "why", "nobody"], standalone_mode=False)
