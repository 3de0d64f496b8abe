"""Lists that are gzip files themselves, whatever the header of the answer says."""

from __future__ import annotations

from geofence.errors import ListError
from geofence.fetch.decoding import Decoder, DecodingError
from geofence.translation import tr

_GZIP = b"\x1f\x8b"


def unpacked(content: bytes, most: int) -> bytes:
    """Return the content of a gzip file; anything else as it is.

    Args:
        content: as received.
        most: bytes that it may have, unpacked.

    Raises:
        ListError: it is damaged, was cut short, or is too large.
    """
    if not content.startswith(_GZIP):
        return content
    decoder = Decoder("gzip")
    found = bytearray()
    try:
        for piece in decoder.feed(content):
            found += piece
            if len(found) > most:
                raise ListError(tr("The gzip file has more than {most} bytes.", most=f"{most:,}"))
    except DecodingError as error:
        raise ListError(tr("The gzip file is damaged.")) from error
    if not decoder.is_complete:
        raise ListError(tr("The gzip file was cut short."))
    return bytes(found)
