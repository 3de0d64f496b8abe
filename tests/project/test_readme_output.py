"""The output that README and docs show is what the command prints."""

from __future__ import annotations

import pytest

from tests.project.documents import DOCUMENTS
from tests.project.readme_output import SCENES, blocks, comparable, produced

SHOWING = [document for document in DOCUMENTS if blocks(document)]


@pytest.mark.parametrize("document", SHOWING)
def test_shown_output_equals_that_of_the_command(document: str) -> None:
    """If it fails: python -m tests.project.readme_output --write."""
    shown = blocks(document)
    real = produced(document)
    for block, output in zip(shown, real, strict=True):
        assert comparable(block, block.shown) == comparable(block, output)


def test_readme_shows_the_commands_of_the_first_five_minutes_and_of_every_day() -> None:
    for document in ("README.md", "README.ja.md"):
        shown = {block.arguments[0] for block in blocks(document)}
        five_minutes = {"demo", "plan", "why", "status"}
        assert shown == five_minutes | {"allow", "exceptions", "ban", "bans", "denied"}


def test_every_scene_is_used() -> None:
    assert {block.scene for document in SHOWING for block in blocks(document)} == set(SCENES)
