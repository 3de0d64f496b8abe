"""The parts of the panel that need no process."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.panel.client import PrivilegedGoneError, ask
from geofence.panel.privileged import Peer, in_background, listen
from geofence.panel.protocol import (
    KEYS,
    LONGEST_QUESTION,
    Answer,
    ProtocolError,
    Question,
    Verb,
    read_answer,
    read_question,
)
from geofence.panel.rows import PAGE, Wanted, read_wanted, shown
from geofence.panel.sessions import Sessions

ME = Peer(os.getpid(), os.getuid())

plain = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=50).filter(
    str.isprintable
)


@given(st.sampled_from(Verb), st.data())
def test_a_question_reads_back(verb: Verb, data: st.DataObject) -> None:
    keys = st.sampled_from(sorted(KEYS[verb])) if KEYS[verb] else st.nothing()
    question = Question(verb, data.draw(st.dictionaries(keys, plain)), data.draw(plain))
    assert read_question(question.line()) == question


@given(st.booleans(), st.lists(plain), plain)
def test_an_answer_reads_back(ok: bool, lines: list[str], plan: str) -> None:
    answer = Answer(ok, tuple(lines), plan, {"a": [1]})
    assert read_answer(answer.line()) == answer


@given(
    st.binary()
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_whatever_is_no_question_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_question(line)


@pytest.mark.parametrize(
    "facts",
    [
        {"verb": "remove", "values": {}, "plan": ""},
        {"verb": "allow", "values": {"accept": "growth"}, "plan": ""},
        {"verb": "allow", "values": {"what": ["203.0.113.7"]}, "plan": ""},
        {"verb": "allow", "values": {"what": "203.0.113.7\n--country US"}, "plan": ""},
        {"verb": "ban", "values": {"what": "x" * 501}, "plan": ""},
        {"verb": "view", "values": {}, "plan": "", "more": 1},
        {"verb": ["view"], "values": {}, "plan": ""},
    ],
)
def test_a_question_has_nothing_but_what_belongs_to_it(facts: object) -> None:
    with pytest.raises(ProtocolError):
        read_question(json.dumps(facts).encode())


def test_a_link_works_once() -> None:
    sessions = Sessions()
    cookie = sessions.enter(sessions.link, 0)
    assert cookie
    assert sessions.knows(cookie, 0)
    assert sessions.enter(sessions.link, 0) is None
    assert sessions.knows(cookie, 0)
    assert not sessions.knows(None, 0)
    assert not sessions.knows(cookie[:-1], 0)
    assert not sessions.knows("Jürgen", 0)


def test_a_cookie_is_of_use_to_the_user_who_opened_the_link() -> None:
    sessions = Sessions()
    cookie = sessions.enter(sessions.link, 1000)
    assert sessions.knows(cookie, 1000)
    assert not sessions.knows(cookie, 1001)
    assert not sessions.knows(cookie, None)


def test_wrong_links_of_others_do_not_use_up_the_right_one() -> None:
    sessions = Sessions()
    assert not any(sessions.enter(f"guess {number}", 1001) for number in range(1000))
    assert sessions.enter(sessions.link, 0)


def test_forms_of_nobody_are_refused() -> None:
    sessions = Sessions()
    assert not sessions.is_form_token(sessions.form_token())
    sessions.enter(sessions.link, 0)
    assert sessions.is_form_token(sessions.form_token())
    assert not sessions.is_form_token("")
    assert Sessions().form_token() != Sessions().form_token()


HEADINGS = ("source", ">packets")
ROWS = [("b", "9"), ("a", "1,000"), ("C", "20")]


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        (Wanted(), ["b", "a", "C"]),
        (Wanted(column=0), ["a", "b", "C"]),
        (Wanted(column=1), ["b", "C", "a"]),
        (Wanted(column=1, descending=True), ["a", "C", "b"]),
        (Wanted(words="1,0"), ["a"]),
        (Wanted(words="c 2"), ["C"]),
        (Wanted(column=7), ["b", "a", "C"]),
    ],
)
def test_rows_are_filtered_and_sorted(wanted: Wanted, first: list[str]) -> None:
    assert [row[0] for row in shown(HEADINGS, ROWS, wanted).rows] == first


@given(st.integers(0, 350), st.integers(0, 9))
def test_pages_hold_every_row_once(count: int, page: int) -> None:
    rows = [(str(number), "1") for number in range(count)]
    pages = shown(HEADINGS, rows, Wanted()).pages
    found = [row for at in range(pages) for row in shown(HEADINGS, rows, Wanted(page=at)).rows]
    assert found == rows
    assert len(shown(HEADINGS, rows, Wanted(page=page)).rows) <= PAGE


@given(st.dictionaries(st.sampled_from(["sort", "order", "page", "words"]), st.text()))
def test_whatever_an_address_says_some_rows_are_shown(query: dict[str, str]) -> None:
    wanted = read_wanted(query, len(HEADINGS))
    assert shown(HEADINGS, ROWS, wanted).pages >= 1


@pytest.mark.parametrize("stranger", [ME._replace(user=ME.user + 1), ME._replace(process=1)])
def test_only_one_process_may_ask(tmp_path: Path, stranger: Peer) -> None:
    path = tmp_path / "control"
    server = listen(path, os.getuid())
    in_background(server, stranger, lambda _: Answer(ok=True), actions=True)
    assert not ask(path, Question(Verb.VIEW)).ok
    server.close()


def test_actions_are_refused_where_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "control"
    asked: list[Question] = []

    def answer(question: Question) -> Answer:
        asked.append(question)
        return Answer(ok=True)

    server = listen(path, os.getuid())
    in_background(server, ME, answer, actions=False)
    assert ask(path, Question(Verb.VIEW)).ok
    assert not ask(path, Question(Verb.BAN, {"what": "203.0.113.7"})).ok
    assert [each.verb for each in asked] == [Verb.VIEW]
    server.close()


@pytest.mark.parametrize("line", [b"nonsense\n", b"x" * (LONGEST_QUESTION + 2), b""])
def test_nonsense_is_answered_and_the_next_question_too(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "control"
    server = listen(path, os.getuid())
    in_background(server, ME, lambda _: Answer(ok=True), actions=True)
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(path))
        link.sendall(line)
        link.shutdown(socket.SHUT_WR)
        assert not read_answer(link.recv(4096)).ok
    assert ask(path, Question(Verb.VIEW)).ok
    server.close()


def test_nobody_at_the_other_end_is_told(tmp_path: Path) -> None:
    with pytest.raises(PrivilegedGoneError):
        ask(tmp_path / "nothing", Question(Verb.VIEW))
