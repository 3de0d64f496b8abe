"""Names that a shell completes: exceptions, groups, countries, services, bans.

A shell waits at each Tab, so the names are read straight from the TOML of the rules, without
loading a policy. No privileges are needed: what this user cannot read, and files that are wrong,
are left out. Some shells evaluate what they get, so they get only names that rules may have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

_NAME = re.compile(r"[a-z][a-z0-9-]*")


def disabled_exceptions(ctx: typer.Context) -> Iterator[str]:
    """List what ``allow`` may be given: exceptions that are not enabled, and their groups."""
    yield from _exceptions(ctx, enabled=False)


def enabled_exceptions(ctx: typer.Context) -> Iterator[str]:
    """List what ``revoke`` may be given: exceptions that are enabled, and their groups."""
    yield from _exceptions(ctx, enabled=True)


def countries(incomplete: str) -> Iterator[tuple[str, str]]:
    """List codes of countries with their names, in the case that was begun with."""
    from geofence.geoip.countries import countries as all_countries

    for code, country in sorted(all_countries().items()):
        yield (code.lower() if incomplete.islower() else code), country.name


def allowed_countries(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """List the countries that the rules name: those that ``revoke`` may be given."""
    rules = _rules(ctx)
    named: set[str] = set()
    for section in (rules.get("allow"), *_named(rules, "service").values()):
        codes = section.get("countries") if isinstance(section, dict) else None
        named |= set(map(str, codes)) if isinstance(codes, list) else set()
    switches = rules.get("country")
    named |= set(switches) if isinstance(switches, dict) else set()
    wanted = {code.upper() for code in named}
    yield from ((code, name) for code, name in countries(incomplete) if code.upper() in wanted)


def services(ctx: typer.Context) -> Iterator[str]:
    """List the services of the rules."""
    yield from _named(_rules(ctx), "service")


def banned(ctx: typer.Context) -> Iterator[str]:
    """List what is banned on disk, if this user can read it."""
    from geofence.errors import StateError
    from geofence.operations.site import STATE_DIRECTORY
    from geofence.state.bans import BanStore

    given = ctx.find_root().params.get("state_dir")
    try:
        held = BanStore(Path(given or STATE_DIRECTORY)).load()
    except StateError:
        return
    for prefix in sorted(map(str, held.lasting(datetime.now(UTC)))):
        yield re.sub(r"/32$|/128$", "", prefix)


def _exceptions(ctx: typer.Context, *, enabled: bool) -> Iterator[str]:
    groups: set[str] = set()
    for name, table in _named(_rules(ctx), "exception").items():
        if (table.get("enabled", True) is True) is enabled:
            yield name
            groups.add(str(table.get("group", "")))
    yield from sorted(group for group in groups if _NAME.fullmatch(group))


def _named(rules: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the tables of a kind by their names."""
    tables = rules.get(kind)
    found = tables.items() if isinstance(tables, dict) else ()
    return {
        name: table for name, table in found if _NAME.fullmatch(name) and isinstance(table, dict)
    }


def _rules(ctx: typer.Context) -> dict[str, Any]:
    """Return what the rules files say together, later ones over earlier ones."""
    from geofence.operations.site import RULES_DIRECTORY, shipped_rules

    together: dict[str, Any] = {}
    given = ctx.find_root().params.get("rules_dir")
    for directory in (shipped_rules(), Path(given or RULES_DIRECTORY)):
        for tree in _trees(directory):
            _merge(together, tree)
    return together


def _trees(directory: Path) -> Iterator[dict[str, Any]]:
    import tomllib

    try:
        paths = sorted(path for path in directory.glob("*.toml") if path.is_file())
    except OSError:
        return
    for path in paths:
        try:
            yield tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            continue


def _merge(into: dict[str, Any], tree: dict[str, Any]) -> None:
    for key, value in tree.items():
        held = into.get(key)
        if isinstance(held, dict) and isinstance(value, dict):
            _merge(held, value)
        else:
            into[key] = value
