"""The image's recipe: what the tests carry out is all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node.helm import HERE
from tests.node.recipe import (
    Image,
    assembled,
    instructions,
    read_image,
    release,
    write_image,
)
from tests.node.test_daemonset import pod_of
from tests.walk.system import WalkError

RECIPE = HERE / "image/Containerfile"


def test_comments_and_continued_lines_are_read_as_an_engine_reads_them() -> None:
    text = "# one\nfrom a\nRUN one \\\n    # two\n    && two\n\nENV A=b c\n"
    assert instructions(text) == (("FROM", "a"), ("RUN", "one      && two"), ("ENV", "A=b c"))


def test_the_recipe_is_of_debian_and_runs_the_daemon() -> None:
    found = instructions(RECIPE.read_text("utf-8"))
    assert found[0].name == "ARG"
    assert release(found[0].text.partition("=")[2]) == "trixie"
    assert dict(found)["ENTRYPOINT"] == '["/usr/bin/geofence"]'
    (container,) = pod_of("base/daemonset.yaml")["containers"]
    assert dict(found)["CMD"] == str(container["args"]).replace("'", '"')


def test_an_image_is_read_as_it_was_written(tmp_path: Path) -> None:
    image = Image(tmp_path, {"PATH": "/bin", "LC_ALL": "C.UTF-8"}, ("/usr/bin/geofence",), ("x",))
    write_image(image, tmp_path / "image.json")
    assert read_image(tmp_path / "image.json") == image


def test_an_instruction_that_the_tests_do_not_know_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("HEALTHCHECK NONE\n")
    with pytest.raises(WalkError, match="HEALTHCHECK"):
        assembled(tmp_path / "Containerfile", tmp_path, tmp_path, tmp_path / "root")


def test_what_is_copied_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("ARG NAME=x\nCOPY ${NAME}.deb /tmp/\n")
    with pytest.raises(WalkError, match=r"x\.deb is not in"):
        assembled(tmp_path / "Containerfile", tmp_path, tmp_path, tmp_path / "root")
    (tmp_path / "x.deb").touch()
    made = assembled(tmp_path / "Containerfile", tmp_path, tmp_path, tmp_path / "root")
    assert made == Image(tmp_path / "root")
    assert (tmp_path / "root/tmp/x.deb").is_file()
