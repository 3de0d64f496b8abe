"""Generated TOML documents in which the line of every key is known, since it was written down."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from geofence.policy.toml_lines import Path

SCALARS = (
    "0",
    "-17",
    "1_000",
    "0xFFff",
    "3.14e-2",
    "inf",
    "-nan",
    "true",
    "false",
    "1979-05-27",
    "1979-05-27 07:32:00.5",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    '""',
    "''",
    '"plain"',
    r'"a \" quote, a backslash \\"',
    r'"# no comment ] } , = \u00e9"',
    "'literal \\'",
    '\'"""\'',
    "\"日本 '''\"",
    '""""""',
    "''''''",
    '"""one line"""',
    '"""\nfirst\n# second ]\n[table]\nkey = 1\n"""',
    '"""two quotes at the end\n"""""',
    '""""quotes" \\""" within\n""""',
    '"""a line that \\\n   goes on"""',
    "'''\n\\\n\"\"\"\n'''",
    "'''two at the end'''''",
)
"""Values that are neither tables nor arrays, each with something that could mislead."""

GAPS = ("", " ", "\t", "\n", "\n\n", ' # comment ] "\n', "\r\n", "\n  # ''' [a]\n\t")
"""What may stand between the parts of an array."""

ENDINGS = ("\n", "\r\n", " # comment = [\n", "\n\n# [comment]\n", "\t\n \n")

_KEY_FORMS = (
    ("k{}", "k{}"),
    ("{}", "{}"),
    ("-_{}", "-_{}"),
    ('"k{} with blanks"', "k{} with blanks"),
    ('"k{}.dot"', "k{}.dot"),
    ("'k{}\\.[#]'", "k{}\\.[#]"),
    ('"k{}\\t\\"=\\u00e9"', 'k{}\t"=\u00e9'),
    ('"{}]"', "{}]"),
)


@dataclass
class Writer:
    """A document and where things are in it."""

    draw: st.DrawFn
    text: str = ""
    lines: dict[Path, int] = field(default_factory=dict)
    keys: int = 0

    def note(self, path: Path) -> None:
        """The path begins here, if it did not before."""
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def pick(self, *options: str) -> None:
        self.text += self.draw(st.sampled_from(options))

    def chance(self) -> bool:
        return self.draw(st.booleans())

    def key(self) -> tuple[str, str]:
        """How a new key is written, and what it says."""
        self.keys += 1
        written, said = self.draw(st.sampled_from(_KEY_FORMS))
        return written.replace("{}", str(self.keys)), said.replace("{}", str(self.keys))

    def dotted(self, path: Path) -> Path:
        """A new key of up to three parts; each is where it is first mentioned."""
        for index in range(self.draw(st.integers(1, 3))):
            if index:
                self.pick(".", " . ", "\t.")
            written, said = self.key()
            path = (*path, said)
            self.note(path)
            self.text += written
        return path

    def assignment(self, table: Path, depth: int) -> None:
        path = self.dotted(table)
        self.pick(" = ", "=", "\t=  ")
        self.value(path, depth)

    def value(self, path: Path, depth: int) -> None:
        kind = self.draw(st.integers(0, 4)) if depth else 0
        if kind == 1:
            self.array(path, depth - 1)
        elif kind == 2:
            self.inline_table(path, depth - 1)
        else:
            self.pick(*SCALARS)

    def array(self, path: Path, depth: int) -> None:
        self.text += "["
        self.pick(*GAPS)
        size = self.draw(st.integers(0, 3))
        for index in range(size):
            self.note((*path, index))
            self.value((*path, index), depth)
            self.pick(*GAPS)
            if index < size - 1 or self.chance():
                self.text += ","
                self.pick(*GAPS)
        self.text += "]"

    def inline_table(self, path: Path, depth: int) -> None:
        self.text += "{"
        for index in range(self.draw(st.integers(0, 3))):
            self.pick(", ", ",") if index else self.pick("", " ")
            self.assignment(path, depth)
        self.pick("}", " }")

    def statements(self, table: Path) -> None:
        for _ in range(self.draw(st.integers(0, 3))):
            self.pick("", "  ", "\t")
            self.assignment(table, depth=3)
            self.pick(*ENDINGS)

    def header(self, inside: Path, element: Path, opening: str) -> Path:
        """A new table within another; ``inside`` is how headers call that, ``element`` its path."""
        written, said = self.key()
        path = (*element, said)
        self.note(path)
        names = [_quoted(str(part)) for part in inside]
        closing = "]" * len(opening)
        self.text += f"{opening} {' . '.join([*names, written])}\t{closing}"
        return path

    def table(self, inside: Path = (), element: Path = (), depth: int = 2) -> None:
        path = self.header(inside, element, "[")
        self.pick(*ENDINGS)
        self.statements(path)
        self.within((*inside, path[-1]), path, depth)

    def tables(self, inside: Path = (), element: Path = (), depth: int = 2) -> None:
        """An array of tables of one or two elements."""
        path = self.header(inside, element, "[[")
        header = self.text[self.text.rindex("\n") + 1 :] if "\n" in self.text else self.text
        for index in range(self.draw(st.integers(1, 2))):
            if index:
                self.text += header
            self.note((*path, index))
            self.pick(*ENDINGS)
            self.statements((*path, index))
            self.within((*inside, path[-1]), (*path, index), depth)

    def within(self, inside: Path, element: Path, depth: int) -> None:
        if depth and self.chance():
            self.table(inside, element, depth - 1)
        if depth and self.chance():
            self.tables(inside, element, depth - 1)

    def document(self) -> None:
        self.note(())
        self.pick("", "# head\n", "\n")
        self.statements(())
        for _ in range(self.draw(st.integers(0, 3))):
            if self.chance():
                self.table()
            else:
                self.tables()
        self.pick("", "# tail", " ")


def _quoted(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{escaped}"'


@st.composite
def documents(draw: st.DrawFn) -> Writer:
    """A document with its lines."""
    writer = Writer(draw)
    writer.document()
    return writer
