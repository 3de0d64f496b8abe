from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from geofence.cli.app import app
from geofence.errors import ExitCode, UsageError
from geofence.policy import OWNED_FILE, load_policy
from tests.project.documents import (
    DOCUMENTS,
    READMES,
    TOP,
    fenced,
    heredocs,
    is_japanese,
    shown_commands,
    text,
)

readme = pytest.mark.parametrize("name", READMES)
document = pytest.mark.parametrize("name", DOCUMENTS)
operation = pytest.mark.parametrize("name", ["docs/operation.md", "docs/ja/operation.md"])


def refusal(words: list[str]) -> str:
    """What the command line objects to; nothing is run, for help comes before."""
    result = CliRunner().invoke(app, [*words, "--help"])
    said = str(result.exception) if isinstance(result.exception, UsageError) else result.output
    return said if result.exit_code else ""


def table(name: str, first_cell: str) -> list[list[str]]:
    rows = re.findall(rf"^\| ({first_cell}) \|(.*)\|$", text(name), re.MULTILINE)
    return [[first, *(cell.strip() for cell in rest.split("|"))] for first, rest in rows]


@document
def test_shown_commands_exist(name: str) -> None:
    assert not [words for words in shown_commands(name) if refusal(words)]


def test_shown_commands_are_found() -> None:
    for name in (*READMES, "docs/troubleshooting.md"):
        assert len(list(shown_commands(name))) > 20


@pytest.mark.parametrize("words", [["plam"], ["plan", "--fulll"], ["--backed", "ipset", "plan"]])
def test_a_wrong_command_would_be_noticed(words: list[str]) -> None:
    assert re.search("No such|unknown command", refusal(words))


def test_both_readmes_show_the_same_commands() -> None:
    one, other = ({tuple(words) for words in shown_commands(name)} for name in READMES)
    assert one == other


@operation
def test_exit_codes_are_all_of_them(name: str) -> None:
    assert [int(row[0]) for row in table(name, r"\d")] == [code.value for code in ExitCode]


@operation
def test_global_options_are_all_of_them(name: str) -> None:
    group: Any = typer.main.get_command(app)
    wanted = {
        (option.opts[0], option.envvar) for option in group.params if getattr(option, "envvar", "")
    }
    shown = {(row[0].strip("`"), row[1].strip("`")) for row in table(name, r"`--[a-z-]+`")}
    assert shown == wanted


@document
def test_linked_files_exist(name: str) -> None:
    for link in links(name):
        path, _, anchor = link.partition("#")
        target = (TOP / name).parent / path if path else TOP / name
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def links(name: str) -> list[str]:
    """Where a document leads to within the project."""
    return re.findall(r"\]\((?!https?:)([^)]+)\)", text(name))


def test_links_are_found_and_every_document_is_in_the_index() -> None:
    index = TOP / "docs"
    named = {(index / link).resolve() for link in links("docs/README.md")}
    assert {TOP / name for name in DOCUMENTS} - {index / "README.md"} <= named


def anchors(file: Path) -> set[str]:
    """The headings of a document as links name them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@document
def test_shown_rules_load(name: str, tmp_path: Path) -> None:
    """Each by itself, on top of what ships."""
    for number, example in enumerate([*heredocs(name), *fenced(name, "toml")]):
        name = OWNED_FILE if example.startswith("[country.") else "example.toml"
        file = tmp_path / f"{number}" / name
        file.parent.mkdir(mode=0o700)
        file.write_text(example, encoding="utf-8")
        file.chmod(0o600)
        load_policy((TOP / "rules.d", file.parent))


def test_the_rules_to_begin_with_name_a_trunk() -> None:
    for name in READMES:
        (example,) = heredocs(name)
        assert {"allow", "exception"} == set(tomllib.loads(example))


@readme
def test_bootstrap_verbs_exist(name: str) -> None:
    verbs = set(re.findall(r"\./bootstrap ([a-z]+)", text(name)))
    assert {"demo", "test", "install"} <= verbs
    first, second = fenced(name, "sh")[:2]
    assert (first, second) == ("./bootstrap demo\n", "./bootstrap test\n")
    script = text("bootstrap")
    for verb in verbs:
        assert re.search(rf"^{verb}\) ", script, re.MULTILINE), verb


@operation
def test_units_named_are_shipped(name: str) -> None:
    named = set(re.findall(r"geofence-[a-z]+(?:-[a-z]+)*\.(?:service|timer)", text(name)))
    shipped = {path.name for path in (TOP / "cron").glob("geofence-*") if path.is_file()}
    assert named == shipped


ODD = (
    r"\b(?:let|lets) (?:\w+ )?in\b",
    r"\bshut out\b",
    r"\boctets?\b",
    r"\bput right\b",
    r"\bfence stands\b",
    r"\bwhom you mean\b",
    r"\bnames no \w+ that\b",
)
"""What other people's documentation does not say."""


@document
def test_prose_has_the_words_of_the_field(name: str) -> None:
    """Output of the command and code are not looked at."""
    prose = re.sub(r"^```.*?^```$", "", text(name), flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"`[^`]*`", "", prose)
    assert not [odd for odd in ODD if re.search(odd, prose)]


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if is_japanese(name)])
def test_japanese_lines_end_with_sentences(name: str) -> None:
    """Browsers show a line break within a Japanese sentence as a blank."""
    prose = re.sub(r"^```.*?^```$", "", text(name), flags=re.MULTILINE | re.DOTALL)
    breaks = re.findall(r"^(?![|#<-])(.+)\n(?=[^\n|#<-])", prose, re.MULTILINE)
    assert breaks
    wrong = [line for line in breaks if not re.search(r"。$|^\d\. ", line)]
    assert not wrong


def test_the_changelog_has_the_version_of_the_package() -> None:
    """As https://keepachangelog.com has it."""
    project = tomllib.loads(text("pyproject.toml"))["project"]
    newest, *_older = re.split(r"^## ", text("CHANGELOG.md"), flags=re.MULTILINE)[1:]
    heading, *body = newest.splitlines()
    assert project["version"] in (heading if heading != "[Unreleased]" else "\n".join(body))
    kinds = re.findall(r"^### (.+)$", text("CHANGELOG.md"), re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
