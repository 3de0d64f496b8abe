"""Manual pages, made from the help of the command line.

``python -m tools.man DIRECTORY`` writes ``man8/geofence.8`` and a page for each verb, and the same
in Japanese below ``ja/``. The help is the one source; exit codes and files are the tables of
docs/operation.md. The date is that of ``SOURCE_DATE_EPOCH``, or today.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from geofence import __version__
from geofence.translation import activate
from tools.roff import bold, escaped, inline, italic

TOP = Path(__file__).parents[1]
SECTION = 8
LANGUAGES = {"en": "C.UTF-8", "ja": "ja_JP.UTF-8"}
"""With the locale that asks for each."""
EXAMPLE = re.compile("(Examples?|例)\\s*[:\N{FULLWIDTH COLON}]\\s*")
_HEADINGS = {
    "en": {
        "name": "NAME",
        "synopsis": "SYNOPSIS",
        "description": "DESCRIPTION",
        "commands": "COMMANDS",
        "arguments": "ARGUMENTS",
        "options": "OPTIONS",
        "environment": "ENVIRONMENT",
        "exit": "EXIT STATUS",
        "files": "FILES",
        "examples": "EXAMPLES",
        "see": "SEE ALSO",
        "manual": "System Administration",
    },
    "ja": {
        "name": "名前",
        "synopsis": "書式",
        "description": "説明",
        "commands": "コマンド",
        "arguments": "引数",
        "options": "オプション",
        "environment": "環境変数",
        "exit": "終了ステータス",
        "files": "ファイル",
        "examples": "例",
        "see": "関連項目",
        "manual": "システム管理",
    },
}
_TABLES = {
    "en": ("operation.md", "## Exit codes", "## Files"),
    "ja": ("ja/operation.md", "## 終了コード", "## ファイル"),
}


Command = TyperCommand | TyperGroup
Parameter = TyperArgument | TyperOption


class Manual:
    """The pages of one language."""

    def __init__(self, language: str, date: str) -> None:
        self._words = _HEADINGS[language]
        self._tables = _TABLES[language]
        self._date = date

    def pages(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the text of each page: the command itself, then its verbs."""
        from typer.main import get_command

        from geofence.cli.app import app

        yield from self._tree(cast("TyperGroup", get_command(app)), None, "geofence")

    def _tree(
        self, command: Command, parent: typer.Context | None, name: str
    ) -> Iterator[tuple[str, str]]:
        settings = command.context_settings
        context = typer.Context(command, info_name=name, parent=parent, **settings)
        verbs = _verbs(command)
        yield _page(context), "".join(f"{line}\n" for line in self._lines(context, verbs))
        for verb in verbs:
            yield from self._tree(verb, context, str(verb.name))

    def _lines(self, context: typer.Context, verbs: Sequence[Command]) -> Iterator[str]:
        command = cast("Command", context.command)
        version = f"geofence {__version__}"
        title = f'{_page(context).upper()} {SECTION} {self._date} "{version}"'
        yield f'.TH {title} "{self._words["manual"]}"'
        yield from (".nh", ".ad l")
        yield self._heading("name")
        yield f"{escaped(_page(context))} \\- {escaped(_summary(command))}"
        yield self._heading("synopsis")
        pieces = " ".join(command.collect_usage_pieces(context))
        yield f"{bold(context.command_path)} {escaped(pieces)}"
        yield from self._described(command)
        yield from self._listed(context, verbs)
        yield from self._parameters(context)
        if context.parent is None:
            yield from self._environment(context)
            yield from self._table("exit", self._tables[1])
            yield from self._table("files", self._tables[2])
        else:
            yield self._heading("see")
            yield f"{bold('geofence')}({SECTION})"

    def _described(self, command: Command) -> Iterator[str]:
        paragraphs = [each.strip() for each in (command.help or "").split("\n\n")]
        examples = [each for each in paragraphs if EXAMPLE.match(each)]
        yield self._heading("description")
        for text in paragraphs:
            if text not in examples:
                yield from (".PP", inline(text))
        if examples:
            yield self._heading("examples")
        for text in examples:
            for example in re.split(r"(?:\.\s+|、)(?=geofence )", EXAMPLE.sub("", text, count=1)):
                yield from (".PP", inline(example.rstrip(".。")))

    def _listed(self, context: typer.Context, verbs: Sequence[Command]) -> Iterator[str]:
        if verbs:
            yield self._heading("commands")
        for panel in dict.fromkeys(str(verb.rich_help_panel or "") for verb in verbs):
            yield f'.SS "{escaped(panel)}"'
            for verb in verbs:
                if (verb.rich_help_panel or "") == panel:
                    page = f"{_page(context)}-{verb.name}"
                    yield from (".TP", f"{bold(page)}({SECTION})", inline(_summary(verb)))

    def _parameters(self, context: typer.Context) -> Iterator[str]:
        shown = _parameters_of(context)
        for kind, heading in (("argument", "arguments"), ("option", "options")):
            of_kind = [each for each in shown if each.param_type_name == kind]
            if of_kind:
                yield self._heading(heading)
            for each in of_kind:
                yield from (".TP", _invocation(each, context), inline(each.help or ""))

    def _environment(self, context: typer.Context) -> Iterator[str]:
        named = [each for each in _parameters_of(context) if each.envvar]
        if named:
            yield self._heading("environment")
        for each in named:
            yield from (".TP", bold(str(each.envvar)), bold(each.opts[0]))

    def _table(self, heading: str, title: str) -> Iterator[str]:
        yield self._heading(heading)
        for first, second in _rows(TOP / "docs" / self._tables[0], title):
            yield from (".TP", bold(first), inline(second))

    def _heading(self, name: str) -> str:
        return f".SH {self._words[name]}"


def _verbs(command: Command) -> Sequence[Command]:
    """Return the verbs of a group that its help shows."""
    found = command.commands.values() if isinstance(command, TyperGroup) else ()
    return [cast("Command", each) for each in found if not each.hidden]


def _parameters_of(context: typer.Context) -> Sequence[Parameter]:
    """Return the arguments and options that the help shows."""
    found = cast("Sequence[Parameter]", context.command.get_params(context))
    return [each for each in found if not each.hidden]


def _page(context: typer.Context) -> str:
    """Return the name of the page: the words of the command, joined."""
    return str(context.command_path).replace(" ", "-")


def _summary(command: Command) -> str:
    """Return the first sentence of the help, without its period."""
    text = (command.help or "").split("\n\n")[0].strip()
    return str(re.split(r"(?<=[.。])\s|(?<=。)", text)[0].rstrip(".。"))


def _invocation(parameter: Parameter, context: typer.Context) -> str:
    """Return how a parameter is written."""
    if isinstance(parameter, TyperArgument):
        return italic(parameter.make_metavar(context))
    names = ", ".join(bold(name) for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.is_flag or parameter.count:
        return names
    return f"{names} {italic(parameter.make_metavar(context))}"


def _rows(document: Path, title: str) -> Iterator[tuple[str, str]]:
    """Yield the rows of the first table after a title, without Markdown's marks and links."""
    text = document.read_text(encoding="utf-8").split(f"\n{title}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    for line in table[0].splitlines()[2:] if table else ():
        unlinked = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line)
        first, second = unlinked.strip("| ").split(" | ", 1)
        yield first.replace("`", ""), re.sub(r"`([^`]*)`", r"'\1'", second)


def _write(language: str, directory: Path) -> None:
    """Write the pages of a language, which must be chosen before the command line is imported."""
    activate((), os.environ, sys.stdout)
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    date = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in Manual(language, date).pages():
        (directory / f"{name}.{SECTION}").write_text(text, encoding="utf-8")


def main(directory: Path) -> None:
    """Write all pages, each language in a process of its own."""
    for language, locale in LANGUAGES.items():
        place = directory if language == "en" else directory / language
        here = [sys.executable, "-m", "tools.man", str(place.resolve()), language]
        environment = {**os.environ, "LC_ALL": locale, "LANGUAGE": "", "PYTHONUTF8": "1"}
        subprocess.run(here, check=True, cwd=TOP, env=environment)  # noqa: S603 - this module


if __name__ == "__main__":
    if len(sys.argv) > 2:  # noqa: PLR2004 - the language, as main gives it
        _write(sys.argv[2], Path(sys.argv[1]) / f"man{SECTION}")
    else:
        main(Path(sys.argv[1]))
