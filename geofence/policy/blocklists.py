"""The keys of blocklists that say how their sources are asked."""

from __future__ import annotations

import re

from geofence.model.frozen import replace
from geofence.model.policy import KEEP, Blocklist
from geofence.policy.mistakes import Mistake
from geofence.policy.quantities import interval, keep
from geofence.policy.table_reader import Section
from geofence.policy.urls import url
from geofence.spelling import quoted
from geofence.translation import tr

_REPORTED = "apiban"
"""The format whose source gives only new addresses, and asks for a key."""


def with_source(blocklist: Blocklist, section: Section) -> Blocklist:
    """Return a blocklist with what its table says of its source; complain about what is wrong."""
    parts = section.values("parts", url) or ()
    key_file = section.value("key_file", _path, None)
    if section.gives("parts") and section.gives("url", "urls"):
        expected = tr("mirrors of the whole list in url or urls, or its parts in parts")
        section.complain(Mistake(tr("has parts and url or urls"), expected), "parts")
    _check_key(blocklist, section)
    return replace(
        blocklist,
        parts=parts,
        refresh=section.value("refresh", interval, None),
        key_file=key_file or "",
        keep=section.value("keep", keep, KEEP),
    )


def _check_key(blocklist: Blocklist, section: Section) -> None:
    if blocklist.format == _REPORTED:
        if not section.gives("key_file"):
            expected = tr(
                'key_file, the path of a file with your key, such as "/etc/geofence/apiban.key"'
            )
            section.complain(Mistake(tr("APIBAN asks for a key"), expected), "format")
        if section.gives("parts"):
            expected = tr('url = "https://apiban.org/api"')
            section.complain(Mistake(tr("APIBAN has no parts"), expected), "parts")
        return
    for key in ("key_file", "keep"):
        if key in section:
            wrong = tr("only lists of the format {format} have this key", format=_REPORTED)
            expected = tr('format = "{format}", or remove the key', format=_REPORTED)
            section.complain(Mistake(wrong, expected), key)


def _path(text: str) -> str:
    """Read an absolute path.

    Raises:
        Mistake: it is not one.
    """
    if re.fullmatch(r"/[^\0\r\n]{1,4000}", text):
        return text
    wrong = tr("{value} is not an absolute path", value=quoted(text))
    raise Mistake(wrong, tr('a path such as "/etc/geofence/apiban.key"'))
