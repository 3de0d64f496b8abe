"""Questions at a terminal: answered, and interrupted at each of them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from time import monotonic, sleep

import pytest

from tests.cli.machine import Machine
from tests.setup.pbx import FOREIGN, JAPANESE, configured, setup_file
from tests.setup.terminal import Terminal, terminal

COUNTRIES = "From which countries"
FOLLOW = "Follow Asterisk's configuration"
TRUST = "Trust all that comes by the VPN"
WRITE = "Write these rules and apply them?"
STAYS = "shall it stay?"
QUESTIONS = (COUNTRIES, FOLLOW, TRUST, WRITE, STAYS)
ANSWERS = ("JP", "yes", "n", "y", "y")


@pytest.fixture
def asked(fresh: Machine) -> Machine:
    """A machine on which each kind of question is asked."""
    fresh.tool("ip", "tuntap", "add", "tun7", "mode", "tun")
    return fresh


def begin(where: Machine) -> tuple[str, ...]:
    return ("setup", "--asterisk-dir", str(configured(where)), "--no-notify")


def untouched(where: Machine) -> bool:
    return not setup_file(where).exists() and not where.observe().sets


def test_answered_to_the_end_the_fence_stays(asked: Machine) -> None:
    with terminal(asked, *begin(asked)) as seen:
        for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
            seen.answer(question, answer)
        assert seen.end() == 0
    written = tomllib.loads(setup_file(asked).read_text())
    assert written["allow"] == {"countries": ["JP"]}
    assert written["asterisk"]["follow"] is True
    assert "local" not in written
    assert asked.gets_in(JAPANESE, FOREIGN) == [True, False]
    assert asked.run("confirm").code == 2  # nothing waits
    assert "Nothing to change" in asked.ok("setup", "--yes").out


def ctrl_c(seen: Terminal) -> None:
    seen.type("\x03")


def ctrl_d(seen: Terminal) -> None:
    seen.type("\x04")


def hang_up(seen: Terminal) -> None:
    seen.process.terminate()


@pytest.mark.parametrize("last", QUESTIONS[:-1])
@pytest.mark.parametrize("interrupt", [ctrl_c, ctrl_d, hang_up])
def test_interrupted_at_a_question_nothing_was_changed(
    one: Machine, last: str, interrupt: Callable[[Terminal], None]
) -> None:
    one.tool("ip", "tuntap", "add", "tun7", "mode", "tun")
    with terminal(one, *begin(one)) as seen:
        for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
            if question == last:
                seen.wait_for(question)
                interrupt(seen)
                break
            seen.answer(question, answer)
        assert seen.end() != 0
    assert "Traceback" not in seen.shown
    assert untouched(one)


@pytest.mark.parametrize("interrupt", [ctrl_c, ctrl_d])
def test_interrupted_on_trial_the_previous_fence_is_back(
    asked: Machine, interrupt: Callable[[Terminal], None]
) -> None:
    with terminal(asked, *begin(asked)) as seen:
        for question, answer in zip(QUESTIONS[:-1], ANSWERS, strict=False):
            seen.answer(question, answer)
        seen.wait_for(STAYS)
        assert asked.observe().sets  # it is on trial
        assert not setup_file(asked).exists()
        interrupt(seen)
        assert seen.end() != 0
    assert "Traceback" not in seen.shown
    assert untouched(asked)


def test_a_no_on_trial_brings_the_previous_fence_back(asked: Machine) -> None:
    asked.ok("refresh")
    before = asked.observe()
    with terminal(asked, *begin(asked)) as seen:
        for question, answer in zip(QUESTIONS, (*ANSWERS[:-1], "n"), strict=True):
            seen.answer(question, answer)
        assert seen.end() == 0
    assert "The previous fence is back" in seen.shown
    assert not setup_file(asked).exists()
    assert (asked.observe().sets, asked.observe().rules) == (before.sets, before.rules)


def test_no_answer_in_time_brings_the_previous_fence_back(one: Machine) -> None:
    one.tool("ip", "tuntap", "add", "tun7", "mode", "tun")
    with terminal(one, *begin(one), "--confirm-within", "5s") as seen:
        for question, answer in zip(QUESTIONS[:-1], ANSWERS, strict=False):
            seen.answer(question, answer)
        seen.wait_for(STAYS)
        wait_until(lambda: not one.observe().sets)
        seen.type("y\n")
        assert seen.end() == 2
    assert "Too late to confirm" in seen.shown
    assert untouched(one)


def wait_until(happens: Callable[[], bool]) -> None:
    end = monotonic() + 60
    while not happens():
        assert monotonic() < end
        sleep(0.2)


def test_a_no_to_the_rules_changes_nothing(one: Machine) -> None:
    with terminal(one, *begin(one), "--country", "JP", "--follow") as seen:
        seen.answer(WRITE, "")
        assert seen.end() == 0
    assert "Nothing has been changed." in seen.shown
    assert untouched(one)


def test_a_wrong_country_is_asked_again(one: Machine) -> None:
    with terminal(one, *begin(one), "--follow") as seen:
        seen.answer(COUNTRIES, "Nippon")
        seen.wait_for("--country")
        seen.answer(COUNTRIES, "jp @nowhere")
        seen.wait_for("unknown region")
        seen.answer(COUNTRIES, "jp")
        seen.answer(WRITE, "n")
        assert seen.end() == 0


def test_likely_countries_come_first(one: Machine) -> None:
    one.environment["LANG"] = "ja_JP.UTF-8"
    one.environment["LANGUAGE"] = "en"
    one.environment["LC_ALL"] = ""
    with terminal(one, *begin(one), "--follow") as seen:
        seen.wait_for("JP  Japan (")
        seen.wait_for("the locale")
        seen.wait_for("[JP]")
        seen.type("\n")
        seen.answer(WRITE, "n")
        assert seen.end() == 0


def test_confirmed_elsewhere_the_rules_are_written_all_the_same(one: Machine) -> None:
    with terminal(one, *begin(one), "--country", "JP", "--follow") as seen:
        seen.answer(WRITE, "y")
        seen.wait_for(STAYS)
        one.ok("confirm")
        seen.type("y\n")
        assert seen.end() == 0
    assert setup_file(one).exists()
    assert one.gets_in(JAPANESE, FOREIGN) == [True, False]
