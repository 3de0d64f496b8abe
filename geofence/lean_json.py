"""``json.loads`` and ``json.dumps`` by the functions in C that do their work.

``json`` compiles its patterns at each import, which takes longer than to read what ``restore`` at
boot has to read. What is not as it should be goes to ``json``, which says what is wrong.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    def loads(text: str | bytes) -> Any:  # noqa: ANN401 - whatever it says
        """Return what JSON says."""

    def dumps(value: object, separators: tuple[str, str] = (", ", ": ")) -> str:
        """Return a value as JSON."""
else:
    from _json import encode_basestring_ascii, make_encoder, make_scanner

    _BLANKS = " \t\n\r"

    class _Scanning:
        """What the scanner asks of the one who calls it."""

        strict = True
        object_hook = object_pairs_hook = None
        parse_float, parse_int, parse_constant = float, int, float

    _scan = make_scanner(_Scanning)

    def loads(text: str | bytes) -> Any:  # noqa: ANN401 - whatever it says
        """Return what JSON says.

        Raises:
            ValueError: it is none.
        """
        try:
            whole = text if isinstance(text, str) else text.decode()
            value, end = _scan(whole, len(whole) - len(whole.lstrip(_BLANKS)))
            if not whole[end:].strip(_BLANKS):
                return value
        except (StopIteration, UnicodeDecodeError):
            pass
        import json

        return json.loads(text)

    def _refuse(value: object) -> None:
        raise TypeError(f"{type(value).__name__} cannot be JSON")

    def dumps(value: object, separators: tuple[str, str] = (", ", ": ")) -> str:
        """Return a value as JSON."""
        between, after_name = separators
        encode = make_encoder(
            {}, _refuse, encode_basestring_ascii, None, after_name, between, False, False, True
        )
        return "".join(encode(value, 0))
