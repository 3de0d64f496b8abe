"""What stands for modules of the standard library at boot does what they do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from geofence.lean_json import dumps, loads

ROOT = Path(__file__).parents[1]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)

_PATHS = """
import sys
from geofence.lean import Path, datetime
assert not {"urllib.parse", "ipaddress", "selectors", "socket", "datetime"} & {*sys.modules}
made = Path("/a b").as_uri()
import datetime as known, pathlib, urllib.parse
assert (Path, datetime) == (pathlib.Path, known.datetime)
print(made, urllib.parse.urlsplit(made).path)
"""


def test_a_path_needs_no_urls_until_it_is_made_one() -> None:
    # In a checkout, the hook by which geofence is found has imported them before.
    command = [sys.executable, "-S", "-c", _PATHS]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)

    assert said.stdout.split() == [b"file:///a%20b", b"/a%20b"]


@given(JSON)
def test_json_is_written_as_usual_and_read_as_it_was(value: object) -> None:
    assert dumps(value) == json.dumps(value)
    assert dumps(value, (",", ":")) == json.dumps(value, separators=(",", ":"))
    assert loads(json.dumps(value, indent=1).encode()) == value


@given(JSON, st.data())
def test_damaged_json_is_refused_with_the_usual_reason(value: object, data: st.DataObject) -> None:
    whole = json.dumps(value).encode()
    at = data.draw(st.integers(0, len(whole)))
    damaged = whole[:at] + data.draw(st.binary(max_size=2)) + whole[at + 1 :]

    assert _said(loads, damaged) == _said(json.loads, damaged)


def _said(read: object, text: bytes) -> str:
    assert callable(read)
    try:
        return repr(read(text))
    except ValueError as error:
        return f"{type(error).__name__}: {error}"
