"""Includes: where they lead, to which section their keys belong, and where they end."""

from __future__ import annotations

import time

import pytest

from benchmarks.discover import panel_files
from geofence.asterisk import loading
from geofence.asterisk.files import MOST_BYTES
from geofence.asterisk.reader import reading_of
from geofence.asterisk.reading import WarningKind as Kind
from tests.asterisk.told import UDP, sockets, unseen, warned

T = "type=transport\n"


def udp(*listening: int) -> set[str]:
    return {f"sip 0.0.0.0 {port}/udp v4" for port in listening}


def transport(name: str, port: int) -> str:
    return f"[{name}]\n{T}bind=0.0.0.0:{port}\n"


def with_files(text: str, **more: str) -> dict[str, bytes | str]:
    names = {name.replace("__", "/") + ".conf": each for name, each in more.items()}
    return {"pjsip.conf": text, **names}


PLACES = {
    "quotes": '#include "d/1.conf"\n',
    "angle brackets": "#include <d/1.conf>\n",
    "capital letters": "#INCLUDE d/1.conf\n",
    "several blanks": "#include \t d/1.conf  \n",
    "a comment": "#include d/1.conf ; note\n",
    "an absolute path": "#include /etc/asterisk/d/1.conf\n",
    "an absolute path with detours": "#include /etc/asterisk/../asterisk/d//./1.conf\n",
    "detours": "#include d/../d/./1.conf\n",
    "braces": "#include d/{1,none}.conf\n",
    "braces in braces": "#include {d/{1,none},none}.conf\n",
    "a star": "#include d/*.conf\n",
    "a question mark": "#include d/?.conf\n",
    "a class": "#include d/[0-9].conf\n",
    "a class of others": "#include d/[^a-z].conf\n",
    "a class of others in its other form": "#include d/[!a-z].conf\n",
    "a folder by a star": "#include */1.conf\n",
    "a backslash": "#include d/\\1.conf\n",
    "try": "#tryinclude d/1.conf\n",
}


@pytest.mark.parametrize("case", PLACES)
def test_how_an_included_file_may_be_named(case: str) -> None:
    reading = reading_of(with_files(PLACES[case], d__1=transport("a", 5070)))
    assert (sockets(reading), reading.invalid) == (udp(5070), ())
    assert reading.files == ("pjsip.conf", "d/1.conf")


@pytest.mark.parametrize("pattern", ["d/*.conf", ".*.conf", "d/[.]1.conf"])
def test_a_pattern_names_no_hidden_file_unless_it_begins_with_the_dot(pattern: str) -> None:
    files = {
        "pjsip.conf": f"#tryinclude {pattern}\n",
        ".1.conf": transport("a", 1),
        "d/.1.conf": transport("b", 2),
    }
    assert sockets(reading_of(files)) == (udp(1) if pattern.startswith(".") else set())


def test_a_path_is_relative_to_the_configuration_and_not_to_the_file() -> None:
    files = with_files("#include d/1.conf\n", d__1="#include 2.conf\n")
    files |= {"2.conf": transport("a", 1), "d/2.conf": transport("b", 2)}
    assert sockets(reading_of(files)) == udp(1)


def test_files_of_a_pattern_come_in_order() -> None:
    files = with_files("#include d/*.conf\n", d__2=f"{T}bind=0.0.0.0:2\n", d__1="[a]\n")
    assert sockets(reading_of(files)) == udp(2)


def test_empty_files_and_none_to_try_are_fine() -> None:
    text = "#include d/*.conf\n#tryinclude none.conf\n#tryinclude none/*.conf\n"
    reading = reading_of(with_files(text + UDP, d__1="", d__2="; only a comment"))
    assert (sockets(reading), reading.invalid, reading.warnings) == (udp(5060), (), ())


def test_keys_behind_an_include_belong_to_the_section_of_the_including_file() -> None:
    files = with_files(
        f"[a]\n{T}#include 1.conf\nbind=0.0.0.0:5071\n", **{"1": transport("b", 5072)}
    )
    assert sockets(reading_of(files)) == udp(5071, 5072)


def test_keys_at_the_head_of_a_file_belong_to_the_section_defined_last_anywhere() -> None:
    files = with_files(
        f"[a]\n{T}#include 1.conf\n#include 2.conf\n",
        **{"1": f"[b]\n{T}", "2": "bind=0.0.0.0:5073\n"},
    )
    reading = reading_of(files)
    assert sockets(reading) == udp(5073)
    assert [each.source for each in reading.listeners] == ["1.conf [b]"]


def test_keys_at_the_head_of_the_next_file_of_a_pattern_belong_to_the_one_before() -> None:
    files = with_files(
        "[general]\n#include d/*.conf\n",
        d__1=f"[b]\n{T}#include 9.conf\n",
        d__2="bind=0.0.0.0:5074\n",
        **{"9": "[c]\ntype=aor\n"},
    )
    [listener] = reading_of(files).listeners
    assert (listener.port, listener.source) == (5074, "d/1.conf [b]")


def test_an_addition_makes_its_section_the_one_defined_last() -> None:
    files = with_files(
        f"[a]\n{T}[b]\ntype=aor\n[a](+)\n#include 1.conf\n", **{"1": "bind=0.0.0.0:1\n"}
    )
    assert sockets(reading_of(files)) == udp(1)


def test_an_open_block_comment_runs_on_into_the_next_file_of_a_pattern() -> None:
    files = with_files(
        "[general]\n#include d/*.conf\n" + transport("c", 3),
        d__1=transport("a", 1) + ";-- open\n",
        d__2=transport("b", 2) + "--;\n" + transport("d", 4),
    )
    reading = reading_of(files)
    assert sockets(reading) == udp(1, 3, 4)
    assert Kind.COMMENT_OPEN in warned(reading)


def test_an_open_block_comment_ends_with_its_include() -> None:
    files = with_files(
        "#include 1.conf\n" + transport("b", 2), **{"1": transport("a", 1) + ";-- open\n"}
    )
    assert sockets(reading_of(files)) == udp(1, 2)


def test_a_mark_is_skipped_in_the_first_file_of_a_pattern_only() -> None:
    files = with_files(
        "[general]\n#include d/*.conf\n",
        d__1="\ufeff" + transport("a", 1),
        d__2="\ufeff" + transport("b", 2),
    )
    assert sockets(reading_of(files)) == udp(2)
    assert [each.source for each in reading_of(files).listeners if each.certain] == ["d/1.conf [a]"]


def test_an_error_ends_its_file_and_skips_the_rest_of_its_pattern() -> None:
    files = with_files(
        "#include d/*.conf\n" + transport("z", 9),
        d__1=transport("a", 1) + "[x\n" + transport("b", 2),
        d__2=transport("c", 3),
    )
    reading = reading_of(files)
    assert sockets(reading) == udp(1, 9)
    assert {Kind.SYNTAX, Kind.CUT_AT_ERROR} <= warned(reading)
    assert reading.invalid == ()


def test_a_missing_include_in_an_included_file_cuts_that_file_alone() -> None:
    files = with_files(
        "#include 1.conf\n" + transport("z", 9),
        **{"1": transport("a", 1) + "#include none.conf\n" + transport("b", 2)},
    )
    reading = reading_of(files)
    assert (sockets(reading), reading.invalid) == (udp(1, 9), ())
    assert [each.where for each in reading.warnings if each.kind is Kind.INCLUDE_MISSING] == [
        "1.conf:4"
    ]


def test_lines_are_counted_from_the_beginning_of_each_file() -> None:
    files = with_files("[a]\n#include d/*.conf\n", d__1="x=y\n" * 9, d__2="x=y\n[b](none)\n")
    assert {each.where for each in reading_of(files).warnings if each.kind is Kind.SYNTAX} == {
        "d/2.conf:2"
    }


CYCLES = {
    "itself": {"pjsip.conf": "#include pjsip.conf\n"},
    "each other": {"pjsip.conf": "#include 1.conf\n", "1.conf": "#include pjsip.conf\n"},
    "by a pattern": {"pjsip.conf": "[a]\n#include *.conf\n"},
    "to try": {"pjsip.conf": "#tryinclude pjsip.conf\n"},
    "by another way to write it": {"pjsip.conf": "#include ./x/../pjsip.conf\n"},
    "too deep": {"pjsip.conf": "#include 1.conf\n"}
    | {f"{at}.conf": f"#include {at + 1}.conf\n" for at in range(1, 12)},
}


@pytest.mark.parametrize("case", CYCLES)
def test_files_that_include_each_other_are_invalid(case: str) -> None:
    reading = reading_of({**CYCLES[case], "rtp.conf": "[general]\nrtpstart=10000\n"})
    assert reading.invalid == ("pjsip.conf",)
    assert (warned(reading), unseen(reading)) == ({Kind.INCLUDE_CYCLE}, {Kind.FILE_INVALID})
    assert reading.rtp is not None


def test_ten_includes_within_each_other_are_read() -> None:
    files = {"pjsip.conf": "#include 1.conf\n", "10.conf": UDP}
    files |= {f"{at}.conf": f"#include {at + 1}.conf\n" for at in range(1, 10)}
    assert sockets(reading_of(files)) == udp(5060)


def test_the_same_file_twice_in_a_row_is_no_cycle() -> None:
    files = with_files(
        f"[a]\n{T}#include 1.conf\n[b]\n{T}protocol=tcp\n#include 1.conf\n",
        **{"1": "bind=0.0.0.0:7\n"},
    )
    assert sockets(reading_of(files)) == {"sip 0.0.0.0 7/udp v4", "sip 0.0.0.0 7/tcp v4"}
    assert reading_of(files).invalid == ()


TOO_MUCH = {
    "braces": "#include " + "{a,b}" * 40 + "\n",
    "templates": "[t0](!)\nx=y\n"
    + "".join(f"[t{at}](!,t{at - 1},t{at - 1})\n" for at in range(1, 40)),
    "files": "#include " + "{1,1}" * 9 + "\n",
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_what_grows_without_end_is_refused(case: str) -> None:
    more = "#include " + ",".join(["{2"] + ["2"] * 500) + "}\n"
    files = {"pjsip.conf": TOO_MUCH[case], "1" * 9: more, "2": ""}
    reading = reading_of(files)
    assert reading.invalid == ("pjsip.conf",)
    assert warned(reading) <= {Kind.TOO_LARGE, Kind.INCLUDE_MISSING}


def test_a_file_that_is_too_large_is_refused() -> None:
    reading = reading_of({"pjsip.conf": b"\n" * (MOST_BYTES + 1)})
    assert (reading.invalid, warned(reading)) == (("pjsip.conf",), {Kind.TOO_LARGE})


OUTSIDE = {
    "a parent": "../secret.conf",
    "a parent of a folder": "d/../../secret.conf",
    "an absolute path": "/etc/secret.conf",
    "an absolute path that climbs": "/etc/asterisk/../secret.conf",
    "a neighbour whose name begins the same": "/etc/asterisk2/x.conf",
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_what_is_outside_is_named_and_not_read(case: str) -> None:
    reading = reading_of({"pjsip.conf": f"{UDP}#include {OUTSIDE[case]}\n", "x.conf": ""})
    assert (sockets(reading), reading.invalid) == (udp(5060), ())
    assert unseen(reading) == {Kind.OUTSIDE}
    assert reading.files == ("pjsip.conf",)


def test_a_program_is_never_run_and_is_named() -> None:
    reading = reading_of({"pjsip.conf": f"{UDP}#exec /bin/touch /tmp/x\n" + transport("b", 2)})
    assert sockets(reading) == udp(5060, 2)
    [each] = reading.unseen
    assert (each.kind, each.where) == (Kind.EXEC, "pjsip.conf:5")
    assert each.data == {"command": "/bin/touch /tmp/x"}


HOSTILE = {
    "braces on each line": "#tryinclude " + "{a,b}" * 900 + "\n",
    "escapes on each line": "[a]\nx=" + "\\;" * 4000 + "\n",
    "additions to the last of many": "[a](+type=last)\n",
    "keys that grow": "z+=zzzzzzzz\n",
    "comments": ";\n",
    "headers": "[a]\n",
    "includes of nothing": "#tryinclude *.none\n",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_takes_long_is_given_up(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MOST_WORK", loading.MOST_WORK // 20)
    start = "[a]\nx=y\n" * 1_000 + "[a]\ntype=last\n" + "k=v\n" * 2_000
    line = HOSTILE[case]
    begun = time.process_time()
    reading = reading_of({"pjsip.conf": start + line * (10_000_000 // len(line))})
    assert (reading.invalid, warned(reading)) == (("pjsip.conf",), {Kind.TOO_LARGE})
    assert time.process_time() - begun < 10  # it would be hours, and usually is a second


def test_a_panel_needs_little_of_what_may_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    phones = 100
    files = dict(panel_files(phones))
    monkeypatch.setattr(loading, "MOST_WORK", 80 * phones)
    assert reading_of(files).invalid == ()
