from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import suppress
from textwrap import dedent

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geofence.policy.toml_lines import LONGEST_PATH, Path, locate
from tests.policy.documents import Writer, documents


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


@settings(max_examples=200)
@given(documents())
def test_every_key_and_element_is_where_it_was_written(document: Writer) -> None:
    assert set(paths(tomllib.loads(document.text))) == set(document.lines)
    expected = {path: at for path, at in document.lines.items() if len(path) <= LONGEST_PATH}
    assert locate(document.text) == expected


LINES = (
    "a = 1",
    "b.c = [",
    "]",
    "1, 2,",
    '"""',
    "'''",
    "[a]",
    "[b]",
    "[[b]]",
    "[b.c]",
    "[[b.c.d]]",
    '"q]" = {x = 1, y.z = [{}]}',
    "# comment",
    "",
    "[a.b.c]",
    "d = '''x",
    'e = """\\',
    "f.g = 2",
    "f.h = 3",
    "x = { a = '}' }",
    '"\\u0041".b = 1',
)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=8))
def test_every_path_of_a_valid_document_is_located(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    located = locate(text)
    assert set(paths(document)) == set(located)
    assert all(1 <= line <= len(lines) for line in located.values())


@given(st.text(alphabet="[]{}\"'=.,#\\\n a1"))
def test_any_text_comes_to_an_end(text: str) -> None:
    with suppress(tomllib.TOMLDecodeError):  # a quoted key that is none
        assert locate(text)[()] == 1


def test_a_table_is_where_its_own_header_is() -> None:
    text = dedent("""\
        [a.b.c]
        x = 1
        [d]
        [a.b]
        y = 2
        [a]
        """)
    located = locate(text)
    assert [located["a",], located["a", "b"], located["a", "b", "c"]] == [6, 4, 1]


def test_too_long_paths_are_skipped_and_later_ones_located() -> None:
    deep = ".".join("k" for _ in range(LONGEST_PATH + 5))
    located = locate(f"{deep} = 1\n{'x'} = {'[' * 30}{']' * 30}\nlast = 2\n")
    assert max(map(len, located)) == LONGEST_PATH
    assert located["last",] == 3
