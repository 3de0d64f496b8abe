"""The words of messages, help and docstrings; see CONTRIBUTING.md for the glossary."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from tests.support.source import TOP, Module, calls, modules

FORBIDDEN = {
    r"(?<![Tt]here )\bis no (?!longer\b)": "is not a …, or: unknown …",
    r"\bnames? no\b": "is not a …",
    r"\bwhom\b|\bwhoever\b|\bwhatever\b": "say who or what it is",
    r"\boctets?\b": "bytes",
    r"\blet(ting|s)? (\w+ )?in\b": "allow",
    r"\bshut(s|ting)? (\w+ )?out\b": "block",
    r"\bput(s|ting)? right\b": "repair",
    r"\bfence stands\b": "the fence is up",
    r"\bfence (\S+ )?is gone\b": "the fence is down",
    r"\bformer\b": "previous",
    r"\b(was|were) ever\b": "has not been … yet",
    r"\bnone of geofence's\b": "geofence did not create it",
    r"\bothers (have )?changed\b|\bchanged by others\b": "changed by other programs",
    r"\bflows?\b": "connection",
    r"\bguards?\b": "check",
    r"\bheal(s|ed|ing)?\b": "repair",
    r"\bturn(s|ed)? away\b": "block",
}
"""What messages do not say, and what they say instead."""

_QUOTED = re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|\[[^\]]*\]|\{[^}]*\}")
"""Commands, values and keys, which are called what they are called."""

QUESTIONS = re.compile(
    r"(Who|Whom|Whose|Whoever|What|Whatever|How|However|Which|Why|Where|Wherever|When|Is|Are|Does"
    r"|Would|Could|Should|May|Can)\b"
)
"""Openings of docstrings that tell no action; that of a predicate is "Whether"."""


def templates(module: Module) -> Iterator[ast.expr]:
    """The arguments that a module marks as messages."""
    for call in calls(module, "tr"):
        yield from call.args[:1]
    for call in calls(module, "trn"):
        yield from call.args[1:3]


def literals(module: Module) -> Iterator[tuple[ast.expr, str]]:
    """The messages of a module."""
    for each in templates(module):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each, each.value


def objections(text: str) -> list[str]:
    """What is wrong with the words of a message."""
    plain = _QUOTED.sub("", text)
    return [
        f"{found[0]!r}; better: {better}"
        for pattern, better in FORBIDDEN.items()
        if (found := re.search(pattern, plain))
    ]


def test_messages_use_the_words_of_the_glossary() -> None:
    wrong = [
        f"{module.at(node)}: {objection}: {text!r}"
        for module in modules("geofence")
        for node, text in literals(module)
        for objection in objections(text)
    ]
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize(
    "text",
    [
        '"UK" is no country',
        "The former fence stands.",
        "It was put right.",
        "3 flows",
        "a guard refused it",
        "The fence (ipset) is gone.",
    ],
)
def test_a_wrong_word_would_be_noticed(text: str) -> None:
    assert objections(text)


@pytest.mark.parametrize(
    "text",
    ["There is no fence.", "It is no longer allowed.", "Run 'geofence guard'.", "3 connections"],
)
def test_a_right_word_is_not_taken_for_a_wrong_one(text: str) -> None:
    assert not objections(text)


def test_messages_are_literals() -> None:
    others = [
        module.at(each)
        for module in modules("geofence")
        for each in templates(module)
        if not isinstance(each, ast.Constant)
    ]
    allowed = [place for place in others if place.startswith("geofence/cli/commands.py:")]
    assert len(allowed) == 1  # typer's own words; see tools/foreign_messages.py
    assert others == allowed, "\n".join(["", *others])


def test_docstrings_of_functions_begin_with_a_verb_or_whether() -> None:
    wrong = [
        f"{module.at(node)}: {node.name}: {text.splitlines()[0]}"
        for module in modules("geofence", "tools")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and (text := ast.get_docstring(node))
        if QUESTIONS.match(text)
    ]
    assert not wrong, "\n".join([f"{len(wrong)} docstrings", *wrong])


HELP = """
import os, sys
from geofence.translation import activate
activate(sys.argv, os.environ, sys.stdout)
from typer.testing import CliRunner
from geofence.cli.app import app
for command in app.registered_commands:
    verb = command.name or command.callback.__name__
    print(CliRunner().invoke(app, [verb.replace("_", "-"), "--help"]).output)
print(CliRunner().invoke(app, ["--help"]).output)
"""
"""Prints all the help that there is."""


@pytest.mark.parametrize("locale", ["C.UTF-8", "ja_JP.UTF-8"])
def test_all_help_fits_80_columns(locale: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "LC_ALL": locale}
        | {"PYTHONUTF8": "1", "COLUMNS": "80"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    lines = done.stdout.splitlines()
    assert sum("--help" in line for line in lines) >= 16
    assert ("オプション" in done.stdout) == locale.startswith("ja")
    assert [line for line in lines if cell_len(line) > 80] == []
    assert {cell_len(line) for line in lines if line.startswith(("╭", "│", "╰"))} == {80}
    # A word that was too long for its column is cut, as Japanese without blanks easily is.
    assert [line for line in lines if "…" in re.sub("(?:NAME|ADDRESS|WHAT)…", "", line)] == []
