"""The keys of blocklists that say how their sources are asked."""

from __future__ import annotations

import re
from dataclasses import replace

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
        both = tr("url and urls are mirrors of the whole list, parts are parts of it")
        section.complain(Mistake(tr("has parts and url or urls"), both), "parts")
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
            expected = tr('key_file, the path of a file with your key, such as "/etc/geofence/key"')
            section.complain(Mistake(tr("has no key, which APIBAN asks for"), expected), "format")
        if section.gives("parts"):
            expected = tr('url = "https://apiban.org/api"')
            section.complain(Mistake(tr("APIBAN has no parts"), expected), "parts")
        return
    for key in ("key_file", "keep"):
        if key in section:
            only = tr('only with format = "{format}"', format=_REPORTED)
            section.complain(Mistake(tr("this format has no such key"), only), key)


def _path(text: str) -> str:
    """Read an absolute path.

    Raises:
        Mistake: it is not one.
    """
    if re.fullmatch(r"/[^\0\r\n]{1,4000}", text):
        return text
    wrong = tr("{value} is not an absolute path", value=quoted(text))
    raise Mistake(wrong, tr('a path such as "/etc/geofence/apiban.key"'))
