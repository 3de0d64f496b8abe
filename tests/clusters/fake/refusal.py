"""What the server refuses: a ``Status`` object with its code."""

from __future__ import annotations

import json
from typing import Any, TypeVar

T = TypeVar("T")


class Refusal(Exception):  # noqa: N818 - a refusal is an answer
    """An answer that is no object."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers or {}
        self.status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }
        if details:
            self.status["details"] = details


def copied(thing: T) -> T:
    """A copy of a JSON value, in a fifth of the time that ``copy.deepcopy`` takes."""
    made: T = json.loads(json.dumps(thing))
    return made


def not_found(resource: str, name: str) -> Refusal:
    """The object is not there."""
    return Refusal(404, "NotFound", f'{resource} "{name}" not found', {"name": name})


def no_such_path() -> Refusal:
    """The kind, or its version, is not served."""
    return Refusal(404, "NotFound", "the server could not find the requested resource")


def invalid(resource: str, name: str, mistakes: list[str]) -> Refusal:
    """The object is not valid."""
    said = mistakes[0] if len(mistakes) == 1 else f"[{', '.join(mistakes)}]"
    return Refusal(422, "Invalid", f'{resource} "{name}" is invalid: {said}', {"name": name})
