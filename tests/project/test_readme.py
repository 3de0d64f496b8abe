from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from geofence.cli.app import app
from geofence.errors import ExitCode, UsageError
from geofence.policy import load_policy

TOP = Path(__file__).parents[2]
READMES = ("README.md", "README.ja.md")

readme = pytest.mark.parametrize("name", READMES)


def text(name: str) -> str:
    return (TOP / name).read_text(encoding="utf-8")


def fenced(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text(name), re.MULTILINE | re.DOTALL)


def shown_commands(name: str) -> Iterator[list[str]]:
    """Every geofence command of code blocks, tables and sentences, without sudo."""
    lines = [line for block in fenced(name, "sh") for line in block.splitlines()]
    lines += re.findall(r"`(geofence [^`]*)`", text(name))
    for line in lines:
        words = shlex.split(line)
        if "geofence" in words[:2]:
            yield words[words.index("geofence") + 1 :]


def refusal(words: list[str]) -> str:
    """What the command line objects to; nothing is run, for help comes before."""
    result = CliRunner().invoke(app, [*words, "--help"])
    said = str(result.exception) if isinstance(result.exception, UsageError) else result.output
    return said if result.exit_code else ""


def table(name: str, first_cell: str) -> list[list[str]]:
    rows = re.findall(rf"^\| ({first_cell}) \|(.*)\|$", text(name), re.MULTILINE)
    return [[first, *(cell.strip() for cell in rest.split("|"))] for first, rest in rows]


@readme
def test_shown_commands_exist(name: str) -> None:
    commands = list(shown_commands(name))
    assert len(commands) > 10
    assert not [words for words in commands if refusal(words)]


@pytest.mark.parametrize("words", [["plam"], ["plan", "--fulll"], ["--backed", "ipset", "plan"]])
def test_a_wrong_command_would_be_noticed(words: list[str]) -> None:
    assert re.search("No such|unknown command", refusal(words))


def test_both_readmes_show_the_same_commands() -> None:
    one, other = ({tuple(words) for words in shown_commands(name)} for name in READMES)
    assert one == other


@readme
def test_exit_codes_are_all_of_them(name: str) -> None:
    assert [int(row[0]) for row in table(name, r"\d")] == [code.value for code in ExitCode]


@readme
def test_global_options_are_all_of_them(name: str) -> None:
    group: Any = typer.main.get_command(app)
    wanted = {
        (option.opts[0], option.envvar) for option in group.params if getattr(option, "envvar", "")
    }
    shown = {(row[0].strip("`"), row[1].strip("`")) for row in table(name, r"`--[a-z-]+`")}
    assert shown == wanted


@readme
def test_linked_files_exist(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text(name))
    assert links
    for link in links:
        assert (TOP / link).exists(), link


@readme
def test_shown_rules_load(name: str, tmp_path: Path) -> None:
    heredocs = re.findall(r"<<'END'\n(.*?)^END$", text(name), re.MULTILINE | re.DOTALL)
    examples = [*heredocs, *fenced(name, "toml")]
    assert len(examples) == 8
    for number, example in enumerate(examples):
        file = tmp_path / f"{number}.toml"
        file.write_text(example, encoding="utf-8")
        file.chmod(0o600)
    policy = load_policy((TOP / "rules.d", tmp_path))
    assert "trunk" in {exception.name for exception in policy.exceptions}
    assert "provisioning" in {service.name for service in policy.services}


@readme
def test_bootstrap_verbs_exist(name: str) -> None:
    verbs = set(re.findall(r"\./bootstrap ([a-z]+)", text(name)))
    assert {"demo", "test", "install"} <= verbs
    script = text("bootstrap")
    for verb in verbs:
        assert re.search(rf"^{verb}\) ", script, re.MULTILINE), verb


@readme
def test_units_named_are_shipped(name: str) -> None:
    named = set(re.findall(r"geofence-[a-z]+(?:-[a-z]+)*\.(?:service|timer)", text(name)))
    started_by_timers = {"geofence-refresh.service"}
    shipped = {path.name for path in (TOP / "cron").glob("geofence-*") if path.is_file()}
    assert named | started_by_timers == shipped


def test_changelog_begins_with_the_version_of_the_package() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    newest = re.search(r"^## (\S+)", text("CHANGELOG.md"), re.MULTILINE)
    assert newest
    assert newest[1] == project["version"]
