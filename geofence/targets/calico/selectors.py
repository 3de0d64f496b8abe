"""Calico's selectors, as far as its documentation says: expressions about labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from geofence.errors import TargetError
from geofence.translation import tr

Labels = Mapping[str, str]
Selector = Callable[[Labels], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<mark>&&|\|\||==|!=|!|\(|\)|\{|\}|,)
        | "(?P<double>[^"]*)" | '(?P<single>[^']*)'
        | (?P<word>[A-Za-z0-9_./-]+)
    )""",
    re.VERBOSE,
)


def selector(text: str) -> Selector:
    """Return the selector of an expression; an empty one matches everything.

    Raises:
        TargetError: it is no expression, or one that is not known here.
    """
    if not text.strip():
        return _everything
    reader = _Reader(text)
    found = reader.either()
    reader.done()
    return found


def _everything(_: Labels) -> bool:
    return True


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())

    def either(self) -> Selector:
        """Read what "||" joins."""
        found = [self._both()]
        while self._takes("||"):
            found.append(self._both())
        return lambda labels: any(each(labels) for each in found)

    def done(self) -> None:
        """Raise TargetError if something is left."""
        if self._tokens:
            raise self._unknown()

    def _both(self) -> Selector:
        found = [self._one()]
        while self._takes("&&"):
            found.append(self._one())
        return lambda labels: all(each(labels) for each in found)

    def _one(self) -> Selector:
        if self._takes("!"):
            inner = self._one()
            return lambda labels: not inner(labels)
        if self._takes("("):
            found = self.either()
            self._expect(")")
            return found
        word = self._word()
        return self._call(word) if self._takes("(") else self._comparison(word)

    def _call(self, name: str) -> Selector:
        if name == "has":
            label = self._word()
            self._expect(")")
            return lambda labels: label in labels
        self._expect(")")
        if name == "all":
            return _everything
        if name == "global":
            return lambda labels: _NAMESPACE not in labels
        raise self._unknown()

    def _comparison(self, label: str) -> Selector:
        if self._takes("=="):
            value = self._string()
            return lambda labels: labels.get(label) == value
        if self._takes("!="):
            value = self._string()
            return lambda labels: labels.get(label) != value
        negated = self._takes("not")
        self._expect("in")
        values = self._strings()
        return lambda labels: (labels.get(label) in values) is not negated

    def _strings(self) -> set[str]:
        self._expect("{")
        values = {self._string()}
        while self._takes(","):
            values.add(self._string())
        self._expect("}")
        return values

    def _takes(self, mark: str) -> bool:
        if self._tokens and self._tokens[0] == ("", mark):
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._takes(mark):
            raise self._unknown()

    def _word(self) -> str:
        if not self._tokens or self._tokens[0][0]:
            raise self._unknown()
        return self._tokens.pop(0)[1]

    def _string(self) -> str:
        if not self._tokens or not self._tokens[0][0]:
            raise self._unknown()
        return self._tokens.pop(0)[1]

    def _split(self) -> list[tuple[str, str]]:
        at, tokens = 0, []
        while self._text[at:].strip():
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise self._unknown()
            quoted = found["double"] if found["double"] is not None else found["single"]
            text = found["mark"] or found["word"]
            tokens.append(("'", quoted) if quoted is not None else ("", text))
            at = found.end()
        return tokens

    def _unknown(self) -> TargetError:
        return TargetError(
            tr('The selector "{text}" of a policy cannot be understood.', text=self._text)
        )


_NAMESPACE = "projectcalico.org/namespace"
"""A label that Calico gives to all that is in a namespace."""
