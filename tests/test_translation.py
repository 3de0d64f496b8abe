"""Messages in the reader's language: who gets which, and that their English is not lost."""

from __future__ import annotations

import gettext
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from geofence import journal, translation
from geofence.translation import activate, english, tr, trn

TOP = Path(__file__).parents[1]
MESSAGES: dict[str | tuple[str, str], str | tuple[str, ...]] = {
    "no fence": "フェンスはありません",
    "unknown country {code}": "不明な国 {code}",
    "{first} {second}": "{first}{second}",
    ("{number} list of {kind}", "{number} lists of {kind}"): ("{kind}のリスト {number} 件",),
}


@pytest.fixture(autouse=True)
def locales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A catalogue of Japanese, and afterwards a process that speaks English again."""
    catalogue = Catalog(locale="ja")
    for message, translated in MESSAGES.items():
        catalogue.add(message, translated)
    directory = tmp_path / "ja" / "LC_MESSAGES"
    directory.mkdir(parents=True)
    with (directory / "geofence.mo").open("wb") as file:
        write_mo(file, catalogue)
    monkeypatch.setattr(translation, "LOCALES", tmp_path)
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)
    before = gettext.textdomain()
    yield
    gettext.textdomain(before)
    translation._catalogue.cache_clear()  # noqa: SLF001 - what activate sets, undone


Speak = Callable[..., None]


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch) -> Speak:
    """Start as a command does."""

    def speak(environment: Mapping[str, str], *arguments: str, encoding: str = "utf-8") -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        activate(arguments, os.environ, io.TextIOWrapper(io.BytesIO(), encoding))

    return speak


JAPANESE = {"LANG": "ja_JP.UTF-8"}


@pytest.mark.parametrize(
    "environment",
    [
        JAPANESE,
        {"LANG": "ja"},
        {"LC_MESSAGES": "ja_JP.UTF-8", "LANG": "en_US.UTF-8"},
        {"LC_ALL": "ja_JP.UTF-8", "LC_MESSAGES": "en_US.UTF-8", "LANG": "C"},
        {"LANGUAGE": "ja", "LANG": "en_US.UTF-8"},
        {"LANGUAGE": "fr:ja:en", "LANG": "fr_FR.UTF-8"},
        {"LC_ALL": "", "LANG": "ja_JP.UTF-8"},
    ],
    ids=str,
)
def test_the_environment_selects_japanese(speak: Speak, environment: dict[str, str]) -> None:
    speak(environment)
    assert tr("no fence") == "フェンスはありません"
    assert gettext.gettext("no fence") == "フェンスはありません"  # as typer asks for its words


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LANG": "C.UTF-8"},
        {"LANG": "POSIX"},
        {"LANG": "fr_FR.UTF-8"},
        {"LC_ALL": "en_GB.UTF-8", "LANG": "ja_JP.UTF-8"},
        {"LC_ALL": "C", "LANG": "ja_JP.UTF-8"},
        {"LC_ALL": "C.UTF-8", "LANGUAGE": "ja"},
        {"LANGUAGE": "en_US:ja", "LANG": "ja_JP.UTF-8"},
        {"LANGUAGE": "en:ja", "LANG": "ja_JP.UTF-8"},
        {"LANGUAGE": "en.UTF-8:ja", "LANG": "ja_JP.UTF-8"},
        {"LANGUAGE": "C:ja", "LANG": "ja_JP.UTF-8"},
    ],
    ids=str,
)
def test_all_others_get_english(speak: Speak, environment: dict[str, str]) -> None:
    speak(environment)
    assert tr("no fence") == "no fence"
    assert gettext.gettext("no fence") == "no fence"


def test_scripts_get_english(speak: Speak) -> None:
    speak(JAPANESE, "status", "--json")
    assert tr("no fence") == "no fence"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_that_cannot_write_it_gets_english(speak: Speak, encoding: str) -> None:
    speak(JAPANESE, encoding=encoding)
    assert tr("no fence") == "no fence"


def test_the_journal_gets_english(speak: Speak) -> None:
    status = os.fstat(2)
    speak({**JAPANESE, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    assert tr("no fence") == "no fence"


def test_the_stream_of_another_process_is_not_ours(speak: Speak) -> None:
    speak({**JAPANESE, "JOURNAL_STREAM": "1:1"})
    assert tr("no fence") != "no fence"


def test_values_are_put_in_and_english_is_kept(speak: Speak) -> None:
    assert tr("unknown country {code}", code="UK") == "unknown country UK"
    speak(JAPANESE)
    said = tr("unknown country {code}", code="UK")
    assert (said, english(said)) == ("不明な国 UK", "unknown country UK")


def test_english_of_translated_values_is_kept_too(speak: Speak) -> None:
    speak(JAPANESE)
    said = tr("{first} {second}", first=tr("no fence"), second=tr("unknown country {code}", code=7))
    assert said == "フェンスはありません不明な国 7"
    assert english(said) == "no fence unknown country 7"


def test_english_survives_an_exception(speak: Speak) -> None:
    speak(JAPANESE)
    error = ValueError(tr("no fence"))
    assert str(error) == "フェンスはありません"
    assert english(str(error)) == "no fence"


def test_braces_in_a_message_without_values_are_its_own() -> None:
    assert tr("{") == "{"


@pytest.mark.parametrize(
    ("number", "english_text"),
    [(1, "1 list of JP"), (0, "0 lists of JP"), (2_000, "2,000 lists of JP")],
)
def test_plural(speak: Speak, number: int, english_text: str) -> None:
    def said() -> str:
        return trn(number, "{number} list of {kind}", "{number} lists of {kind}", kind="JP")

    assert said() == english_text
    speak(JAPANESE)
    assert said() == f"JPのリスト {number:,} 件"
    assert english(said()) == english_text


def test_a_message_without_a_translation_is_english(speak: Speak) -> None:
    speak(JAPANESE)
    assert tr("nobody translated {this}", this="it") == "nobody translated it"


def test_lines_for_the_journal_each_have_their_priority() -> None:
    assert journal.with_priority("one\ntwo", 3) == "<3>one\n<3>two"


def geofence(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command, with the catalogue that ships."""
    return subprocess.run(
        [sys.executable, "-m", "geofence", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), **environment},
        cwd="/",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_command_speaks_japanese() -> None:
    done = geofence("--help", LANG="ja_JP.UTF-8", PYTHONUTF8="1")
    assert "許可リスト型ファイアウォール" in done.stdout
    assert "使い方: " in done.stdout
    assert "このメッセージを表示して終了。" in done.stdout


def test_its_mistakes_are_japanese_with_the_same_exit_code() -> None:
    done = geofence("aply", LANG="ja_JP.UTF-8", PYTHONUTF8="1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('geofence: 不明なコマンド "aply" です。')


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "--bogus"), "不明なオプション --bogus です。"),
        (("why",), "'ADDRESS' を指定してください。"),
        (("--lock-wait", "x", "status"), "の値が正しくありません"),
        (("--lock-wait", "-1", "status"), "--lock-wait には 0 から 86400 までの"),
    ],
)
def test_mistakes_found_by_typer_are_japanese(arguments: tuple[str, ...], said: str) -> None:
    done = geofence(*arguments, LANG="ja_JP.UTF-8", PYTHONUTF8="1")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    "environment",
    [{"LANG": "en_US.UTF-8"}, {"LANG": "ja_JP.UTF-8", "PYTHONIOENCODING": "latin-1"}],
    ids=str,
)
def test_the_command_speaks_english_to_others(environment: dict[str, str]) -> None:
    assert "GeoIP allowlist firewall" in geofence("--help", **environment).stdout
