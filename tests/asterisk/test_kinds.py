"""Every kind of warning occurs, and is told in a sentence with its own facts."""

from __future__ import annotations

import pytest

from geofence.asterisk.files import Absent, InMemory
from geofence.asterisk.reader import reading_of
from geofence.asterisk.reading import ReadingWarning
from geofence.asterisk.reading import WarningKind as Kind
from geofence.sentences.asterisk import reading_sentence, reading_warning_json
from tests.asterisk.told import UDP

X = "[x]\ntype=identify\nendpoint=x\n"
CASES: dict[Kind, tuple[dict[str, str], str]] = {
    Kind.REALTIME: (
        {"extconfig.conf": "[settings]\nrtp.conf => odbc,a\n"},
        "rtp.conf: rtp.conf comes from a database (odbc,a), so it cannot be read.",
    ),
    Kind.EXEC: (
        {"rtp.conf": "#exec /bin/x\n"},
        "rtp.conf:1: Asterisk may read the output of /bin/x.",
    ),
    Kind.PLACEHOLDER: (
        {"pjsip.conf": f"{X}match=${{A}}\n"},
        "match is ${A}, which another program",
    ),
    Kind.NAME_TO_RESOLVE: (
        {"pjsip.conf": "[x]\ntype=transport\nbind=h.example\n"},
        "pjsip.conf [x]: bind is the host name h.example",
    ),
    Kind.OUTSIDE: ({"rtp.conf": "#include ../x\n"}, "rtp.conf:1: ../x is outside"),
    Kind.UNREADABLE: (
        {"rtp.conf": "#include closed.conf\n"},
        "rtp.conf:1: closed.conf cannot be read",
    ),
    Kind.FILE_INVALID: ({"rtp.conf": "x=y\n"}, "rtp.conf: The file is not valid"),
    Kind.CHAN_SIP_ONLY: ({"sip.conf": ""}, "sip.conf: Only chan_sip is configured"),
    Kind.INCLUDE_MISSING: (
        {"rtp.conf": "#include x\n"},
        "rtp.conf:1: The included file x does not",
    ),
    Kind.CUT_AT_ERROR: (
        {"rtp.conf": "#include x\n", "x": "[y\n"},
        "x:1: What follows in this included file does not count.",
    ),
    Kind.SYNTAX: ({"rtp.conf": "[y\n"}, 'rtp.conf:1: Syntax error: the "]" is missing.'),
    Kind.INCLUDE_CYCLE: (
        {"rtp.conf": "#include rtp.conf\n"},
        "rtp.conf:1: Files include each other",
    ),
    Kind.TOO_LARGE: (
        {"rtp.conf": "#include huge.conf\n"},
        "huge.conf: The configuration is larger",
    ),
    Kind.LINE_TOO_LONG: ({"rtp.conf": ";" * 9000}, "rtp.conf:1: The line is longer"),
    Kind.COMMENT_OPEN: ({"rtp.conf": ";--\n"}, "rtp.conf: A block comment has no end"),
    Kind.TYPE_UNKNOWN: ({"pjsip.conf": "[x]\ntype=AOR\n"}, "type=AOR is not aor: upper and lower"),
    Kind.TYPE_GIVEN_BEFORE: (
        {"pjsip.conf": "[x]\ntype=auth\ntype=aor\n"},
        "Its type is auth, which is given or inherited before aor.",
    ),
    Kind.OPTION_UNKNOWN: (
        {"pjsip.conf": f"{UDP}a=\nb=\n"},
        "pjsip.conf [udp]: Unknown options: a, b.",
    ),
    Kind.OPTION_BY_VERSION: (
        {"pjsip.conf": f"{UDP}external_signaling_hostname=h\n"},
        "external_signaling_hostname: Asterisk before 23",
    ),
    Kind.OBJECT_DUPLICATE: ({"pjsip.conf": UDP + UDP}, '"udp" of type transport is defined twice.'),
    Kind.OPTION_MISSING: ({"pjsip.conf": "[x]\ntype=transport\n"}, "[x]: bind is missing"),
    Kind.VALUE_INVALID: (
        {"pjsip.conf": f"{X}match=!1.1.1.1\n"},
        'match is "!1.1.1.1", which is not',
    ),
    Kind.SPACE_AFTER_COMMA: (
        {"pjsip.conf": f"{UDP}local_net=10.0.0.1, 10.0.0.2\n"},
        "local_net has a space after a comma",
    ),
    Kind.BOUND_TWICE: (
        {"pjsip.conf": UDP + UDP.replace("[udp]", "[x]")},
        "pjsip.conf [x]: 0.0.0.0:5060/udp belongs to pjsip.conf [udp] already",
    ),
    Kind.NO_SIP_TRANSPORT: ({"pjsip.conf": ""}, "pjsip.conf: No SIP transport is configured"),
    Kind.FORWARDED_PORT: (
        {"pjsip.conf": f"{UDP}external_signaling_port=5070\n"},
        "Others reach port 5070 through a forward. This host listens on port 5060",
    ),
    Kind.KEY_TWICE: (
        {"rtp.conf": "[general]\nrtpend=6000\nrtpend=7000\n"},
        "rtp.conf: rtpend has several values: 6000, 7000.",
    ),
    Kind.RANGE_INVALID: (
        {"rtp.conf": "[general]\nrtpstart=9000\nrtpend=8000\n"},
        "rtp.conf [general]: 9000 to 8000 is not a valid range of ports",
    ),
    Kind.NO_CERTIFICATE: (
        {"http.conf": "[general]\ntlsenable=yes\ntlsbindaddr=::\n"},
        "http.conf [general]: HTTPS is enabled without tlscertfile",
    ),
    Kind.HTTP_WITHOUT_ADDRESS: (
        {"http.conf": "[general]\nenabled=yes\n"},
        "http.conf [general]: HTTP is enabled without bindaddr",
    ),
    Kind.MODULE_NOT_LOADED: (
        {"modules.conf": "[modules]\nnoload=res_pjsip\n"},
        "modules.conf: The module res_pjsip is not loaded",
    ),
    Kind.TRUNK_IS_EVERYBODY: ({"pjsip.conf": f"{X}match=::/0\n"}, "::/0 matches everybody"),
    Kind.TRUNK_IS_THIS_HOST: ({"pjsip.conf": f"{X}match=::1\n"}, "::1 is this host itself"),
    Kind.TRUNK_IS_PRIVATE: (
        {"pjsip.conf": f"{X}match=10.0.0.1\n"},
        "10.0.0.1 is private and not in",
    ),
    Kind.TRUNKS_IN_DATABASE: (
        {"sorcery.conf": "[res_pjsip]\naor=realtime,a\n"},
        "sorcery.conf: There may be more trunks in the database",
    ),
    Kind.MEDIA_ELSEWHERE: (
        {"pjsip.conf": f"{X}match=11.0.0.0/9,12.0.0.0/9,13.0.0.0/9\n"},
        "This trunk has 3 prefixes for signalling.",
    ),
}


class Odd(InMemory):
    """Files of which some are odd."""

    def content(self, path: str) -> bytes | Absent:
        odd = {"closed.conf": Absent.UNREADABLE, "huge.conf": Absent.TOO_LARGE}
        return odd.get(path) or super().content(path)


def test_each_kind_has_a_case() -> None:
    assert CASES.keys() == set(Kind)


@pytest.mark.parametrize("kind", CASES)
def test_a_kind_occurs_and_is_told(kind: Kind) -> None:
    files, sentence = CASES[kind]
    reading = reading_of(Odd(files))
    [warning] = [each for each in (*reading.unseen, *reading.warnings) if each.kind is kind]
    assert sentence in reading_sentence(warning)
    printed = reading_warning_json(warning)
    assert printed == {
        "kind": kind.value,
        "where": warning.where,
        "data": dict(warning.data),
        "text": reading_sentence(warning),
    }


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("no-parenthesis", '")" is missing'),
        ("no-base", 'The template "t" does not exist.'),
        ("no-addition", 'There is no section "t" to add to.'),
        ("escape", "nothing follows the backslash"),
        ("comments", "Too many block comments"),
        ("no-section", "the line belongs to no section"),
    ],
)
def test_errors_of_syntax_are_told_apart(error: str, text: str) -> None:
    data: dict[str, object] = {"error": error, "name": "t"}
    assert text in reading_sentence(ReadingWarning(Kind.SYNTAX, "x:1", data))
