"""docs/rules.md lists every key that the rules may have, with its real default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from geofence.policy import OWNED_FILE, load_policy, schema
from geofence.policy.mistakes import Problems
from geofence.policy.table_reader import Section, choice
from geofence.policy.toml_tree import parse
from tests.project.documents import TOP, fenced, text

DOCUMENT = "docs/rules.md"
RULES = TOP / "rules.d"
NAMED = """
[service.NAME]
[exception.NAME]
until = 2026-11-26T12:00:00Z
[country.CODE]
until = 2026-11-26T12:00:00Z
[blocklist.NAME]
[region.NAME]
[target.NAME]
[guard.shrink]
country = 5
"""
"""A table of each kind, and a list with a limit, for the schema to ask for all keys of each."""
SHIPPED = "\n".join(path.read_text("utf-8") for path in sorted(RULES.glob("*.toml")))
TYPES = {
    "text": "string",
    "value": "string",
    "values": "list of strings",
    "numbers": "list of numbers",
    "flag": "boolean",
    "percent": "number",
    "moment": "date and time",
}
"""How the schema reads a key, and what the reference calls that."""


class Asked(NamedTuple):
    """What the schema asks for under a key."""

    kind: str
    read: Callable[[str], object] | None
    default: object


class Row(NamedTuple):
    """What the reference says of a key."""

    type: str
    default: str
    values: str
    meaning: str


@pytest.fixture(scope="module")
def asked() -> dict[str, Asked]:
    """Every key that the schema asks for, by ``table.key``."""
    found: dict[str, Asked] = {}

    def recording(kind: str, original: Callable[..., object]) -> Callable[..., object]:
        def read(section: Section, key: str, *given: Any, **named: Any) -> object:  # noqa: ANN401
            reader = given[0] if given else None
            default = given[1] if len(given) > 1 else named.get("default")
            default = "" if kind == "text" else default
            found.setdefault(f"{section.name}.{key}".lstrip("."), Asked(kind, reader, default))
            return original(section, key, *given, **named)

        return read

    with pytest.MonkeyPatch.context() as patch:
        for kind in TYPES:
            patch.setattr(Section, kind, recording(kind, getattr(Section, kind)))
        problems = Problems()
        root = parse(NAMED, "all.toml", problems)
        assert root
        schema.read_policy(root, problems)
    return found


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """Every key of the reference, by ``table.key``."""
    return dict(_rows())


def _rows() -> Iterator[tuple[str, Row]]:
    reference = text(DOCUMENT).partition("\n## Reference\n")[2]
    for section in reference.split("\n### ")[1:]:
        heading = section.splitlines()[0]
        table = re.fullmatch(r"`\[(.+)\]`", heading)
        assert table or heading == "Top level"
        for line in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE):
            keys, *cells = line.split(" | ")
            for key in re.findall(r"`([^`]+)`", keys):
                yield (f"{table[1]}.{key}" if table else key), Row(*cells)


def is_limit(key: str) -> bool:
    """Whether the key is the name of a list, which the rules choose."""
    return key.startswith("guard.shrink.")


def test_every_key_is_in_the_reference(asked: dict[str, Asked], rows: dict[str, Row]) -> None:
    assert {key for key in rows if not is_limit(key)} == {k for k in asked if not is_limit(k)}
    assert any(map(is_limit, rows))


def test_types_are_those_that_the_schema_reads(
    asked: dict[str, Asked], rows: dict[str, Row]
) -> None:
    shown = {key: row.type for key, row in rows.items() if key in asked}
    wrong = {key: type_ for key, type_ in shown.items() if type_ != TYPES[asked[key].kind]}
    assert not wrong


def test_defaults_are_the_real_ones(asked: dict[str, Asked], rows: dict[str, Row]) -> None:
    checked = 0
    for key, one in asked.items():
        shown = literal(rows[key].default) if key in rows else None
        shipped = value_shipped(key)
        if shipped is not None and shown is not None:
            assert shown == shipped, key
        elif one.kind in ("values", "numbers"):
            assert shown in (None, []), key
        elif one.default is None:
            assert shown is None, key
        elif one.read is not None:
            assert one.read(str(shown)) == one.default, key
        else:
            assert shown == one.default, key
        checked += shown is not None
    assert checked > 20


def literal(cell: str) -> object:
    """The value of a cell; None for one that says in words what applies."""
    code = re.fullmatch(r"`([^`]+)`", cell)
    return tomllib.loads(f"x = {code[1]}")["x"] if code else None


def value_shipped(key: str) -> object:
    """What the shipped rules say of a key, if it is in a table of a fixed name."""
    node: Any = tomllib.loads(SHIPPED)
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def test_keys_without_a_default_are_documented(
    asked: dict[str, Asked], rows: dict[str, Row]
) -> None:
    words = {row.default for key, row in rows.items() if literal(row.default) is None}
    assert "none" in words
    for key, row in rows.items():
        if row.default == "none":
            assert asked[key].default is None, key


def test_every_value_that_a_key_may_have_is_there(
    monkeypatch: pytest.MonkeyPatch, rows: dict[str, Row]
) -> None:
    choices: list[type[StrEnum]] = []

    def noted(options: type[StrEnum]) -> Callable[[str], StrEnum]:
        choices.append(options)
        return choice(options)

    monkeypatch.setattr(schema, "choice", noted)
    problems = Problems()
    root = parse(NAMED, "all.toml", problems)
    assert root
    schema.read_policy(root, problems)
    shown = [set(re.findall(r'`"([^"]+)"`', row.values)) for row in rows.values()]
    assert choices
    for options in choices:
        assert set(options) in shown, options


@pytest.mark.parametrize("number", range(len(fenced(DOCUMENT, "toml"))))
def test_examples_load(number: int, tmp_path: Path) -> None:
    text = fenced(DOCUMENT, "toml")[number]
    file = tmp_path / (OWNED_FILE if text.startswith("[country.") else "example.toml")
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    load_policy((RULES, tmp_path))


def test_every_table_has_an_example() -> None:
    reference = text(DOCUMENT).partition("\n## Reference\n")[2]
    for section in reference.split("\n### ")[1:]:
        table = re.match(r"`\[([a-z]+)", section)
        (example,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
        assert table is None or example.startswith(f"[{table[1]}"), section
