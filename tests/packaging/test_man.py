from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from geofence.errors import ExitCode
from tests.packaging.verbs import COMMAND, VERBS
from tools import man, roff

needs_man = pytest.mark.skipif(not shutil.which("lexgrog"), reason="needs the package man-db")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("man")
    man.main(place)
    return place


def page(pages: Path, name: str, language: str = "") -> str:
    return (pages / language / "man8" / f"{name}.8").read_text()


def plain(text: str) -> str:
    """Roff without fonts and escapes."""
    return re.sub(r"\\f[BIR]|\\[&:]", "", text).replace("\\-", "-").replace("\\(aq", "'")


@pytest.mark.parametrize("language", ["", "ja"])
def test_there_is_a_page_for_each_verb_that_the_help_shows(pages: Path, language: str) -> None:
    found = {path.name for path in (pages / language / "man8").iterdir()}
    assert found == {"geofence.8", *(f"geofence-{verb}.8" for verb in VERBS)}


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_has_every_option_and_argument(pages: Path, verb: str) -> None:
    text = plain(page(pages, f"geofence-{verb}"))
    for parameter in VERBS[verb].params:
        assert (parameter.opts[0] in text) or parameter.param_type_name == "argument"
        assert plain(roff.inline(getattr(parameter, "help", None) or "")) in text
    for paragraph in (VERBS[verb].help or "").split("\n\n"):
        wanted = man.EXAMPLE.sub("", paragraph)
        parts = re.split(r"(?:\.\s+)(?=geofence )", wanted)
        assert all(plain(roff.inline(part.strip().rstrip("."))) in text for part in parts)


def test_the_command_page_lists_verbs_options_variables_and_exit_codes(pages: Path) -> None:
    text = plain(page(pages, "geofence"))
    assert all(f"geofence-{verb}(8)" in text for verb in VERBS)
    assert all(f"\n{code.value}\n" in text for code in ExitCode)
    for parameter in (each for each in COMMAND.params if not getattr(each, "hidden", False)):
        assert parameter.opts[0] in text
        assert str(parameter.envvar or "") in text
    assert "/var/lib/geofence/" in text


def test_pages_are_in_japanese_too(pages: Path) -> None:
    assert ".SH オプション" in page(pages, "geofence-allow", "ja")
    assert "許可" in page(pages, "geofence-allow", "ja")
    assert "終了ステータス" in page(pages, "geofence", "ja")


@needs_man
@pytest.mark.parametrize("language", ["", "ja"])
def test_man_shows_each_page_without_a_warning(pages: Path, language: str) -> None:
    for path in (pages / language / "man8").iterdir():
        command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(path)]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert not done.stderr
        named = subprocess.run(["lexgrog", path], env=environment, capture_output=True, check=False)
        assert named.returncode == 0


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a 'geofence plan' b", "a \\fBgeofence plan\\fR b"),
        (".so /etc/passwd", "\\&.so /etc/passwd"),
        ("--cut\nnow", "\\-\\-cut now"),
        ("the check's \\ `x`", "the check\\(aqs \\e \\(gax\\(ga"),
        ("'quoted' first", "\\fBquoted\\fR first"),
    ],
)
def test_text_cannot_become_commands_of_roff(text: str, written: str) -> None:
    assert roff.inline(text) == written
