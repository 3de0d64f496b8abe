"""Messages in the reader's language: gettext, with English in the source.

``tr`` and ``trn`` mark and translate a message. English is what scripts, units' logs and ``--json``
get: nothing is translated until ``activate`` has found somebody who reads another language. The
choice lives where gettext keeps it, in the process's text domain, so that click and typer translate
their own words by the same catalogue.

An exception keeps the English of its message: ``english(str(error))`` is English. An f-string or
``+`` makes a plain ``str``, which has lost its English; join translated texts with
``tr("{first} {second}", first=…, second=…)``.

Catalogues are made with ``python -m tools.catalogue`` (see CONTRIBUTING.md).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache

from geofence.journal import is_connected
from geofence.lean import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, Self, TextIO

    class _Catalogue(Protocol):
        """What ``gettext`` has of a language."""

        def gettext(self, message: str, /) -> str:
            """Return the translation of a message."""
            ...

        def ngettext(self, one: str, several: str, number: int, /) -> str:
            """Return the translation of a message that depends on a number."""
            ...


DOMAIN = "geofence"
LOCALES = Path(__file__).parent / "locales"
SOURCE_LANGUAGE = "en"
_NO_DOMAIN = "messages"
"""The text domain of a process that has chosen none."""
_ENGLISH = (SOURCE_LANGUAGE, "C", "POSIX")
"""Languages and locales that mean the messages as they are."""


class _English:
    """The messages as the source has them."""

    def gettext(self, message: str, /) -> str:
        return message

    def ngettext(self, one: str, several: str, number: int, /) -> str:
        return one if number == 1 else several


class Text(str):
    """A translated message that knows its English."""

    __slots__ = ("english",)

    english: str

    def __str__(self) -> Self:
        """Return the text itself, so that ``str(error)`` keeps its English."""
        return self


def tr(message: str, /, **values: object) -> str:
    """Return a message in the reader's language.

    Args:
        message: the English template, a literal; ``{name}`` stands for a value.
        values: by name. Without any, braces in the message stand for themselves.
    """
    return _filled(message, _catalogue().gettext(message), values)


def trn(number: int, one: str, several: str, /, **values: object) -> str:
    """Return a message that depends on a number, in the reader's language.

    Args:
        number: decides between the forms; the templates have it as ``{number}``.
        one: the English template for 1.
        several: the English template for all other numbers.
        values: others, by name.
    """
    named = {**values, "number": f"{number:,}"}
    return _filled(
        one if number == 1 else several, _catalogue().ngettext(one, several, number), named
    )


def english(text: str) -> str:
    """Return the English of a message, for logs, records and JSON."""
    return text.english if isinstance(text, Text) else text


def join(separator: str, messages: Iterable[str]) -> str:
    """Return messages as one, which knows its English if one of them does."""
    parts = tuple(messages)
    return _both(_close(separator.join(parts)), separator.join(map(english, parts)))


def _close(text: str) -> str:
    """Remove the blank after a Japanese full stop, which has its own."""
    return text.replace("。 ", "。")


def clause(message: str) -> str:
    """Return a sentence without its period, to be followed by others."""
    return edit(lambda text: text.removesuffix(".").removesuffix("。"), message)


def sentence(clauses: str) -> str:
    """Return clauses as a sentence, with the period of its language."""
    # Translators: the end of a sentence that is put together from clauses.
    return tr("{clauses}.", clauses=clauses)


def edit(change: Callable[[str], str], message: str) -> str:
    """Return a changed message; its English is changed likewise."""
    return _both(change(message), change(english(message)))


def activate(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO) -> None:
    """Translate from now on, if a person reads who asks for another language than English.

    Args:
        arguments: of the command line; ``--json`` is for scripts.
        environment: of the process; names the language (``LANGUAGE``, ``LC_ALL``, ``LC_MESSAGES``,
            ``LANG``) and the journal (``JOURNAL_STREAM``).
        stdout: must be able to write the language.
    """
    if "--json" in arguments or is_connected(environment) or not _writes(stdout):
        return
    if not _has_catalogue(environment):
        return
    import gettext

    gettext.bindtextdomain(DOMAIN, str(LOCALES))
    gettext.textdomain(DOMAIN)
    _catalogue.cache_clear()


def speak(code: str) -> None:
    """Translate into a language from now on, whoever reads: for what is not read here.

    Raises:
        ValueError: geofence does not speak it.
    """
    if code not in languages():
        raise ValueError(code)
    import gettext

    os.environ["LANGUAGE"], os.environ["LC_ALL"] = code, f"{code}.UTF-8"  # where gettext looks
    gettext.bindtextdomain(DOMAIN, str(LOCALES))
    gettext.textdomain(DOMAIN if code != SOURCE_LANGUAGE else _NO_DOMAIN)
    _catalogue.cache_clear()


def languages() -> tuple[str, ...]:
    """Return the codes of the languages that geofence speaks."""
    return (SOURCE_LANGUAGE, *sorted(path.name for path in LOCALES.iterdir() if path.is_dir()))


def language() -> str:
    """Return the code of the language of messages."""
    import gettext

    found = gettext.find(DOMAIN, LOCALES) if gettext.textdomain() == DOMAIN else None
    return Path(found).parts[-3] if found else SOURCE_LANGUAGE


@cache
def _catalogue() -> _Catalogue:
    """Return the catalogue of the language that was chosen.

    As long as nothing has imported gettext, none was: a run in English does without it.
    """
    if "gettext" not in sys.modules:
        return _English()
    import gettext

    if gettext.textdomain() != DOMAIN:
        return _English()
    return gettext.translation(DOMAIN, LOCALES, fallback=True)


def _filled(source: str, translated: str, values: Mapping[str, object]) -> str:
    """Put values into a template; the result knows its English where it is not English."""
    if not values:
        return _both(translated, source)
    plain = {name: _english_value(value) for name, value in values.items()}
    return _both(translated.format_map(values), source.format_map(plain))


def _english_value(value: object) -> object:
    return english(str(value)) if isinstance(value, (Text, Exception)) else value


def _both(text: str, plain: str) -> str:
    """Return a text that knows its English; plain text where that is the same."""
    if text == plain:
        return plain
    both = Text(text)
    both.english = plain
    return both


def _has_catalogue(environment: Mapping[str, str]) -> bool:
    """Whether the first language that geofence speaks is one with a catalogue, not English."""
    for language in _languages(environment):
        if re.split("[_.@]", language)[0] in _ENGLISH:
            return False
        import gettext

        if gettext.find(DOMAIN, LOCALES, [language]) is not None:
            return True
    return False


def _languages(environment: Mapping[str, str]) -> Iterator[str]:
    """List the reader's languages, best first, as gettext(3) does: none in the locales C and POSIX.

    Python's gettext does not look at the locale where LANGUAGE is set; the C library's does.
    """
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "C")
    if re.split("[.@]", locale)[0] not in ("C", "POSIX"):
        yield from (environment.get("LANGUAGE") or locale).split(":")


def _writes(stream: TextIO) -> bool:
    """Whether a stream can write more than Latin letters."""
    try:
        "あ".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
