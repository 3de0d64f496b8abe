"""Files of anything, as Asterisk's own parser reads them and as the reader does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings

from geofence.asterisk.files import InMemory
from geofence.asterisk.loading import Loaded, load
from geofence.asterisk.reading import WarningKind
from tests.asterisk.real.ami import CONFIGURATION, Manager, Sections
from tests.asterisk.real.asterisk import Asterisk, missing
from tests.asterisk.real.hosts import pbx_host
from tests.asterisk.real.soup import Files, files

EXAMPLES = int(os.environ.get("ASTERISK_EXAMPLES", "150"))

Parser = tuple[Manager, Path]


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parser]:
    """Asterisk's parser, and the directory of its files."""
    if missing():
        pytest.skip(missing())
    configuration = tmp_path_factory.mktemp("configuration")
    (configuration / "manager.conf").write_text(CONFIGURATION)
    (configuration / "g").mkdir()
    with (
        pbx_host() as host,
        Asterisk(host, configuration, tmp_path_factory.mktemp("asterisk")) as asterisk,
        Manager(host) as manager,
    ):
        yield manager, asterisk.configuration


def by_reader(loaded: Loaded) -> Sections | None:
    if not loaded.present or not loaded.valid:
        return None
    return [
        (section.name, [f"{key.name}={key.value}" for key in section.keys])
        for section in loaded.live
    ]


def test_a_mark_before_what_is_not_utf_8(parser: Parser) -> None:
    agree(parser, {"x.conf": b"\xef\xbb\xbf[a]\nk=\xe4\n"})


@settings(max_examples=EXAMPLES)
@given(written=files())
def test_any_files_are_read_as_asterisk_reads_them(parser: Parser, written: Files) -> None:
    # Where errors add up to the deepest level, Asterisk cuts a file and the reader refuses all.
    warnings = load(InMemory(written), "x.conf").warnings
    assume(WarningKind.INCLUDE_CYCLE not in {each.kind for each in warnings})
    agree(parser, written)


def agree(parser: Parser, written: Files) -> None:
    """Compare what Asterisk reads in files and what the reader does."""
    manager, directory = parser
    for name, content in written.items():
        (directory / name).write_bytes(content)
    assert plain(by_reader(load(InMemory(written), "x.conf"))) == plain(manager.sections("x.conf"))


def plain(sections: Sections | None) -> Sections | None:
    """Return the same with one character for all that is not ASCII, whatever its encoding."""
    if sections is None:
        return None
    return [(_plain(name), [_plain(line) for line in lines]) for name, lines in sections]


def _plain(text: str) -> str:
    return re.sub(r"[^\x00-\x7f]+", "?", text)
