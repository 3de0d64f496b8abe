"""Asterisk's grammar: headers, templates, additions, comments, escapes, lines, errors.

Each case was seen with a running Asterisk; a naive reader gets most of them wrong.
"""

from __future__ import annotations

import pytest

from geofence.asterisk.reader import reading_of
from geofence.asterisk.reading import WarningKind as Kind
from tests.asterisk.told import UDP, peers, pjsip, sockets, unseen, warned

T = "type=transport\n"
LONG = "x" * 8191
SIP = "sip 0.0.0.0 {}/udp v4"


def udp(*listening: int) -> set[str]:
    return {SIP.format(port) for port in listening}


READ = {
    "a template opens nothing, and gives its keys": (
        f"[t](!)\n{T}bind=0.0.0.0:5060\n[a](t)\nbind=0.0.0.0:5070\n",
        udp(5070),
    ),
    "a space before the parenthesis: not inherited": (
        f"[t](!)\n{T}bind=0.0.0.0:5060\n[a] (t)\nbind=0.0.0.0:5070\n",
        set(),
    ),
    "text between the bracket and the parenthesis: not inherited": (
        f"[t](!)\n{T}bind=0.0.0.0:5060\n[y]text(t)\nbind=0.0.0.0:5070\n",
        set(),
    ),
    "what follows the bracket is ignored": (f"[z]]\n{T}bind=0.0.0.0\n", udp(5060)),
    "a plain section without a type is a template, too": (
        f"[base]\nbind=0.0.0.0:6060\n[a](base)\n{T}",
        udp(6060),
    ),
    "names of templates in any case": (f"[Tt](!)\n{T}bind=0.0.0.0:1\n[a](tT)\n", udp(1)),
    "names of keys in any case": ("[a]\nTYPE=transport\nBiNd=0.0.0.0:5070\n", udp(5070)),
    "several templates in their order": (
        f"[one](!)\n{T}bind=0.0.0.0:1\n[two](!)\nbind=0.0.0.0:2\n[a](one,two)\n",
        udp(2),
    ),
    "a template of a template": (
        f"[one](!)\n{T}[two](!,one)\nbind=0.0.0.0:2\n[a](two)\n",
        udp(2),
    ),
    "no name in the parentheses: the first section": (
        f"[one](!)\n{T}bind=0.0.0.0\n[a]()\n",
        udp(5060),
    ),
    "an addition": (f"[a]\n{T}[b]\ntype=aor\n[a](+)\nbind=0.0.0.0:5070\n", udp(5070)),
    "an addition to the one of a type": (
        f"[a]\ntype=aor\n[a]\n{T}[a](+type=transport)\nbind=0.0.0.0:5070\n",
        udp(5070),
    ),
    "an addition to the first of a name": (
        f"[a]\ntype=aor\n[a]\n{T}bind=0.0.0.0:1\n[a](+)\nbind=0.0.0.0:2\n",
        udp(1),
    ),
    "an addition with a template": (
        f"[t](!)\nbind=0.0.0.0:2\n[a]\n{T}bind=0.0.0.0:1\n[a](+,t)\n",
        udp(2),
    ),
    "an addition makes a template of a section": (
        f"[a]\n{T}bind=0.0.0.0:1\n[a](+,!)\n",
        set(),
    ),
    "an addition to a template by its filter": (
        f"[t](!)\n{T}[t](+TEMPLATES=include)\nbind=0.0.0.0:3\n[a](t)\n",
        udp(3),
    ),
    "an arrow": (f"[a]\n{T}bind => 0.0.0.0:5062\n", udp(5062)),
    "indented lines": ("[a]\n\t type=transport\n    bind = 0.0.0.0:5062  \n", udp(5062)),
    "an indented header": ("  [a]\ntype=transport\nbind=0.0.0.0:5062\n", udp(5062)),
    "lines that end as in Windows": ("[a]\r\ntype=transport\r\nbind=0.0.0.0:5062\r\n", udp(5062)),
    "no newline at the end": (f"[a]\n{T}bind=0.0.0.0:5062", udp(5062)),
    "a mark at the beginning": (f"\ufeff[a]\n{T}bind=0.0.0.0:5062\n", udp(5062)),
    "a comment behind a value": (f"[a]\n{T}bind=0.0.0.0:5062 ; what\n", udp(5062)),
    "a semicolon without a space is a comment, too": (f"[a]\n{T}bind=0.0.0.0:5062;x\n", udp(5062)),
    "an escaped first character": (f"[a]\n{T}\\bind=0.0.0.0:5062\n", udp(5062)),
    "a line without an equals sign is ignored": (f"[a]\n{T}what\nbind=0.0.0.0:1\n", udp(1)),
    "a line without a name is ignored": (f"[a]\n{T}=what\nbind=0.0.0.0:1\n", udp(1)),
    "an unknown directive is ignored": (f"[a]\n{T}#what\n#5 more\nbind=0.0.0.0:1\n", udp(1)),
    "an include of nothing is ignored": (f"[a]\n{T}#include\nbind=0.0.0.0:1\n", udp(1)),
    "a block comment over sections": (
        f"[a]\n{T}bind=0.0.0.0:1 ;-- x\n[b]\n{T}bind=0.0.0.0:2\n--;\n[c]\n{T}bind=0.0.0.0:3\n",
        udp(1, 3),
    ),
    "three dashes are an ordinary comment": (
        f";--- x\n;---------\n[a]\n{T}bind=0.0.0.0:1 ;--- x\n",
        udp(1),
    ),
    "a block comment within a block comment": (
        f";-- a\n;-- b\n--;\n[b]\n{T}bind=0.0.0.0:2\n--;\n[c]\n{T}bind=0.0.0.0:3\n",
        udp(3),
    ),
    "what looks closed at once is open": (
        f";--;\n[b]\n{T}bind=0.0.0.0:2\n--;\n[c]\n{T}bind=0.0.0.0:3\n",
        udp(3),
    ),
    "a row that ends like a block is cut at its beginning": (
        f";====--;\n[c]\n{T}bind=0.0.0.0:3\n",
        udp(3),
    ),
    "text behind the end of a block": (f"[c]\n{T};-- x\n--; bind=0.0.0.0:3\n", udp(3)),
    "a block within a value": (f"[c]\n{T}bind=0.0.0.0;-- x --;:3\n", udp(3)),
    "a stray end swallows the rest": (
        f"[a]\n{T}bind=0.0.0.0:1\nx=y --;\n[b]\n{T}bind=0.0.0.0:2\n",
        udp(1),
    ),
    "a block after a stray end gives the rest back": (
        f"[a]\n{T}bind=0.0.0.0:1\nx=y --;\n[b]\n;--\n[c]\n{T}bind=0.0.0.0:3\n",
        udp(1, 3),
    ),
    "a block that never ends": (f"[a]\n{T}bind=0.0.0.0:1\n;--\n[b]\n{T}bind=0.0.0.0:2\n", udp(1)),
    "escaped semicolons in a block": (
        f";-- \\; x \\;\n[b]\n{T}bind=0.0.0.0:2\n--;\n[c]\n{T}bind=0.0.0.0:3\n",
        udp(3),
    ),
    "bytes that are no text": (f"[a]\n;\udcff\udcfe\n{T}bind=0.0.0.0:3\n", udp(3)),
    "a zero byte ends what is seen of a line": (f"[a]\n{T}bind=0.0.0.0:3\0000\n", udp(3)),
    "a line that is too long is skipped": (
        f"[a]\n{T}bind=0.0.0.0:1\nbind=0.0.0.0:2;{LONG}\n",
        udp(1),
    ),
    "a line that is not quite too long": (
        f"[a]\n{T}bind=0.0.0.0:1\nbind=0.0.0.0:2;{LONG[: 8190 - 15]}\n",
        udp(2),
    ),
    "a long line of several bytes a character": (
        f"[a]\n{T}bind=0.0.0.0:1\nbind=0.0.0.0:2;{'あ' * 2800}\n",
        udp(1),
    ),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_read(case: str) -> None:
    text, listening = READ[case]
    content = text.encode("utf-8", "surrogateescape")
    reading = reading_of({"pjsip.conf": content})
    assert {each.removesuffix(" ?") for each in sockets(reading)} == listening
    assert reading.invalid == ()


AFTER = "[late]\ntype=transport\nbind=0.0.0.0:5099\n"
REFUSED = {
    "a template with a space before its name": f"[t1](!)\n{T}[t2](!)\n[a](t1, t2)\nbind=0.0.0.0\n",
    "a template that does not exist": "[a](nothing)\n",
    "a template that comes later": "[a](t)\n[t](!)\n",
    "an addition to a template": "[t](!)\n[t](+)\nx=y\n",
    "an addition to nothing": "[x](+)\n",
    "an addition to another type": "[x]\ntype=aor\n[x](+type=transport)\n",
    "an addition with half a filter": "[x]\ntype=aor\n[x](+type)\n",
    "no closing bracket": "[x\n",
    "no closing parenthesis": "[x](t\n",
    "nothing behind a backslash": "[a]\n\\\n",
    "a blank behind a backslash": "[a]\n\\ x=y\n",
    "an include that does not exist": "#include missing.conf\n",
    "a pattern that nothing matches": "#include missing/*.conf\n",
    "a comment with a hash behind an include": "#include there.conf # note\n",
    "an include of a directory": "#include folder\n",
    "an include of the configuration itself": "#include /etc/asterisk/\n",
    "an include of quotes alone": '#include "\n',
    "block comments without end of nesting": ";--" * 257 + "\n",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_asterisk_refuse_the_whole_file(case: str) -> None:
    files = {"pjsip.conf": UDP + REFUSED[case] + AFTER, "there.conf": "", "folder/x.conf": ""}
    reading = reading_of(files)
    assert sockets(reading) == set()
    assert reading.invalid == ("pjsip.conf",)
    assert unseen(reading) == {Kind.FILE_INVALID}
    assert warned(reading) & {Kind.SYNTAX, Kind.INCLUDE_MISSING}


@pytest.mark.parametrize("case", REFUSED)
def test_the_same_in_an_included_file_cuts_only_that_file(case: str) -> None:
    files = {
        "pjsip.conf": "[general]\n#include d/*.conf\n" + AFTER,
        "d/1.conf": UDP + REFUSED[case] + "[lost]\ntype=transport\nbind=0.0.0.0:5001\n",
        "d/2.conf": "[skipped]\ntype=transport\nbind=0.0.0.0:5002\n",
        "there.conf": "",
        "folder/x.conf": "",
    }
    reading = reading_of(files)
    assert sockets(reading) == udp(5060, 5099)
    assert reading.invalid == ()
    assert Kind.CUT_AT_ERROR in warned(reading)


@pytest.mark.parametrize("line", ["x=y", "word", "\\x=y", "  x=y"])
def test_a_line_before_any_section_makes_asterisk_refuse_the_file(line: str) -> None:
    reading = pjsip(f"\n;\n{line}\n{UDP}")
    assert (sockets(reading), reading.invalid) == (set(), ("pjsip.conf",))
    assert [(each.where, each.data) for each in reading.warnings] == [
        ("pjsip.conf:3", {"error": "no-section"})
    ]


MATCHES = {
    "two lines": ("match=192.0.2.1\nmatch=192.0.2.2\n", {"192.0.2.1 any", "192.0.2.2 any"}),
    "appended with a comma": (
        "match=192.0.2.1\nmatch+=,192.0.2.2\n",
        {"192.0.2.1 any", "192.0.2.2 any"},
    ),
    "appended to the last value": (
        "match=192.0.2.1\nmatch=192.0.2.3\nmatch+=,192.0.2.2\n",
        {"192.0.2.1 any", "192.0.2.2 any", "192.0.2.3 any"},
    ),
    "appended without a comma: one bad name": ("match=192.0.2.1\nmatch+=192.0.2.2/x\n", set()),
    "appended with a space: one bad name": ("match=192.0.2.1\nmatch += 192.0.2.2\n", set()),
    "appended to nothing": ("match+=192.0.2.1\n", {"192.0.2.1 any"}),
    "appended in other letters is another key": (
        "match=192.0.2.1\nMatch+=192.0.2.2\n",
        {"192.0.2.1 any", "192.0.2.2 any"},
    ),
    "spaces around commas": ("match=192.0.2.1 , 192.0.2.2\n", {"192.0.2.1 any", "192.0.2.2 any"}),
    "a hash is no comment": ("match=192.0.2.1#x\n", set()),
    "a long line is lost": (f"match=192.0.2.1\nmatch={'192.0.2.2,' * 900}\n", {"192.0.2.1 any"}),
}


@pytest.mark.parametrize("case", MATCHES)
def test_values_of_one_key(case: str) -> None:
    text, wanted = MATCHES[case]
    assert peers(pjsip(f"[n]\ntype=identify\nendpoint=n\n{text}")) == wanted


def test_the_same_name_is_another_object_for_each_type() -> None:
    reading = pjsip(
        "[101]\ntype=endpoint\n[101]\ntype=aor\ncontact=sip:a.example\n"
        "[101](+type=aor)\ncontact=sip:b.example\n[101](+)\noutbound_proxy=sip:c.example\n"
    )
    assert peers(reading) == {"a.example srv", "b.example srv", "c.example srv"}
    sources = {each.host: each.sources for each in reading.trunks}
    assert sources["c.example"] == ("endpoint 101 outbound_proxy",)
    assert sources["b.example"] == ("aor 101 contact",)


def test_an_escaped_semicolon_is_part_of_the_value() -> None:
    uri = "sip:h.example:5080\\;transport=tcp"
    reading = pjsip(f"[r]\ntype=registration\nserver_uri={uri}\nclient_uri={uri}\n")
    assert peers(reading) == {"h.example 5080"}


def test_a_long_line_is_reported_with_its_number() -> None:
    [warning] = [
        each for each in pjsip(f"{UDP}x={LONG}\n").warnings if each.kind is Kind.LINE_TOO_LONG
    ]
    assert warning.where == "pjsip.conf:5"


def test_zero_bytes_in_a_long_line_leave_the_rest_a_line_of_its_own() -> None:
    text = f"[a]\n{T}cipher=\0{'y' * 8183}bind=0.0.0.0:5070\n"
    assert sockets(reading_of({"pjsip.conf": text})) == udp(5070)


def test_an_error_names_file_and_line() -> None:
    [warning] = [each for each in pjsip(f"{UDP}\n[x](no)\n").warnings if each.kind is Kind.SYNTAX]
    assert (warning.where, warning.data) == ("pjsip.conf:6", {"error": "no-base", "name": "no"})


def test_names_cannot_command_a_terminal() -> None:
    reading = pjsip("[\x1b[2J]\ntype=transport\nbind=0.0.0.0\n")
    assert [each.source for each in reading.listeners] == ["pjsip.conf [\\x1b[2J]"]


def test_a_file_that_is_not_there_is_no_error() -> None:
    reading = reading_of({"rtp.conf": ""})
    assert (sockets(reading), reading.invalid) == (set(), ())
