"""``[notify] webhook_file``: the facts by HTTP POST to a URL that only its file has.

Such URLs are secrets: who knows one can write to the operator's chat. So no message, record and log
has it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from http import HTTPStatus

import requests
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from geofence import __version__
from geofence.errors import ListError
from geofence.fetch.certificates import authorities
from geofence.fetch.failures import root_cause
from geofence.fetch.limits import Limits
from geofence.model.notes import Note, NoteKind
from geofence.policy.mistakes import Mistake
from geofence.policy.urls import url
from geofence.translation import clause, english, tr

_MOST_BYTES = 4096
_MOST_CONTENT = 2_000
"""Characters that Discord takes."""
_LIMITS = Limits()


class WebhookError(ValueError):
    """The file has no URL that may be told; the message has no part of it."""


def post_facts(path: str, facts: Mapping[str, object]) -> tuple[Note, ...]:
    """Send the facts to the URL in a file, and return what went wrong."""
    try:
        where = read_url(path)
        answer = requests.post(
            where,
            json=webhook_facts(facts),
            headers={"User-Agent": f"geofence/{__version__}"},
            timeout=(_LIMITS.connect, _LIMITS.read),
            verify=authorities().verify,
            allow_redirects=False,
        )
    except (WebhookError, ListError) as error:
        return _failed(path, clause(str(error)))
    except (RequestException, HTTPError, OSError, ValueError) as error:
        return _failed(path, root_cause(error, _LIMITS).text)
    if not HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return _failed(path, tr("the server answers with status {code}", code=answer.status_code))
    return ()


def webhook_facts(facts: Mapping[str, object]) -> dict[str, object]:
    """Return the facts with ``text`` and ``content``, as the chats of several vendors want it."""
    said = f"geofence on {facts['host']}: {facts['event']}. {facts['message']}"
    return {**facts, "text": said, "content": said[:_MOST_CONTENT]}


def read_url(path: str) -> str:
    """Return the URL in a file.

    Raises:
        WebhookError: there is none that may be told, or everybody can read it.
    """
    try:
        content = _content(path)
    except OSError as error:
        raise WebhookError(error.strerror or type(error).__name__) from error
    text = content.decode("ascii", errors="replace").strip()
    try:
        found = url(text)
    except Mistake:
        found = ""
    if not found or found.startswith("/"):
        raise WebhookError(tr("the file does not have an https URL in one line"))
    return found


def _content(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise WebhookError(tr("it is not a regular file"))
        if mode & stat.S_IROTH:
            raise WebhookError(tr("it can be read by everyone; type 'chmod o-r {path}'", path=path))
        return file.read(_MOST_BYTES)


def _failed(path: str, why: str) -> tuple[Note, ...]:
    return (Note(NoteKind.WEBHOOK_FAILED, path, {"message": english(why)}),)
