"""The rules that there are, by who wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from geofence.errors import UsageError
from geofence.model.policy import Origin
from geofence.operations.site import Site
from geofence.policy import OWNED_FILE, load_policy
from geofence.policy.files import read_rules
from geofence.policy.mistakes import Problems
from geofence.policy.toml_tree import Table, parse
from geofence.setup.machine import Existing
from geofence.setup.rules_file import SETUP_FILE, is_unchanged, read_tables
from geofence.state.files import read_if_there
from geofence.translation import tr


def read_existing(site: Site) -> Existing:
    """Return the rules that there are.

    Raises:
        RulesError: they do not load.
        UsageError: somebody has changed the file of ``setup``.
    """
    path = site.rules_directory / SETUP_FILE
    text = (read_if_there(path) or b"").decode("utf-8", "replace")
    if text and not is_unchanged(text):
        raise UsageError(
            tr(
                "{path} was changed by hand, and 'geofence setup' would overwrite that. Move your "
                "rules into another file of the directory, delete this one, and run it again.",
                path=path,
            )
        )
    policy = load_policy(
        site.rules_directories, all_must_exist=site.rules_required, without=(SETUP_FILE,)
    )
    tables = {table.heading: dict(table.keys) for table in read_tables(text)} if text else {}
    return Existing(policy, dict(_operators(site)), tables, bool(text))


def _operators(site: Site) -> Iterator[tuple[str, Origin]]:
    """Yield the keys of the operator's files, each with its place."""
    problems = Problems()
    directories = site.rules_directories
    for file in read_rules(directories, problems, all_must_exist=site.rules_required):
        path = Path(file.name)
        if path.parent == directories[-1] and path.name not in (SETUP_FILE, OWNED_FILE):
            tree = parse(file.text, file.name, problems)
            yield from _keys("", tree) if tree else ()


def _keys(path: str, table: Table) -> Iterator[tuple[str, Origin]]:
    for key, node in table.entries.items():
        inner = f"{path}.{key}" if path else key
        yield inner, node.origin
        if isinstance(node, Table):
            yield from _keys(inner, node)
