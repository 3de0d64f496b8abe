"""Typer's messages about a wrong command line, in the reader's language."""

from __future__ import annotations

from typing import Any

from geofence.translation import Text, tr


def translate(error: Any) -> None:  # noqa: ANN401 - typer's own type, which it keeps private
    """Have an exception of typer's show its message in the reader's language.

    Its English is left as typer makes it, which adds hints of its own. Mistakes that typer tells
    apart by their text only stay English.
    """
    message = _message(error)
    if isinstance(message, Text):
        error.format_message = lambda: message


def _message(error: Any) -> str:  # noqa: ANN401 - as above
    match type(error).__name__:
        case "NoSuchOption" if error.possibilities:
            return tr(
                "No such option: {option}. Possible options: {possible}",
                option=error.option_name,
                possible=", ".join(sorted(error.possibilities)),
            )
        case "NoSuchOption":
            return tr("No such option: {option}", option=error.option_name)
        case "MissingParameter" if error.param is not None:
            return tr("{name} is missing.", name=error.param.get_error_hint(error.ctx))
        case "BadParameter" if error.param is not None:
            return tr(
                "Invalid value for {name}: {reason}",
                name=error.param.get_error_hint(error.ctx),
                reason=error.message,
            )
    return ""
