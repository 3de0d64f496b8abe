"""Languages in rules."""

from __future__ import annotations

from geofence.policy.mistakes import Mistake
from geofence.spelling import nearest, one_of, quoted
from geofence.translation import languages, tr


def spoken(text: str) -> str:
    """Read the code of a language that geofence speaks.

    Raises:
        Mistake: it speaks another.
    """
    known = languages()
    if text not in known:
        wrong = tr("{value} is not a language of geofence", value=quoted(text))
        raise Mistake(wrong, one_of(known), *nearest(text, known))
    return text
