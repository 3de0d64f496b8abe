"""Decompression of bodies, piece by piece; a body is complete only with its trailer.

urllib3's decoders accept a stream that was cut before its trailer, so they are not used: a list cut
short would look complete.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
"""Values of ``Content-Encoding`` that can be decoded, in lower case."""

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 64 << 10
"""Bytes decompressed at once, however small what they come from."""


class DecodingError(Exception):
    """The body does not have the encoding that its header gives."""


class NotCompressedError(DecodingError):
    """It is not compressed, or with another method."""


class DamagedError(DecodingError):
    """It begins correctly and is damaged later, such as in its checksum."""


class Decoder:
    """Decompresses one body."""

    def __init__(self, encoding: str) -> None:
        """Make a decoder.

        Args:
            encoding: one of ``ENCODINGS``.
        """
        self._plain = encoding in ("", "identity")
        self._deflate = encoding == "deflate"
        self._head = b""
        self._wbits: int | None = None
        self._stream = zlib.decompressobj()

    @property
    def is_complete(self) -> bool:
        """Whether the end of the body was seen; a plain body has no end mark."""
        return self._plain or self._stream.eof

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress the next chunk, in pieces of bounded size.

        Raises:
            NotCompressedError: the body is not compressed with its encoding.
            DamagedError: it is damaged.
        """
        if self._plain:
            yield chunk
            return
        chunk = self._after_head(chunk)
        pending = bool(chunk)
        while chunk or pending:
            if self._stream.eof:
                chunk = chunk.lstrip(b"\0")  # padding; other bytes begin another member
                if not chunk:
                    return
                self._open()
            piece = self._decompressed(chunk)
            chunk = self._stream.unconsumed_tail or self._stream.unused_data
            pending = len(piece) == _PIECE  # all input may be read, but not all output written
            if piece:
                yield piece

    def _after_head(self, chunk: bytes) -> bytes:
        """Return what can be decompressed so far: nothing until the header tells how."""
        if self._wbits is not None:
            return chunk
        self._head += chunk
        if len(self._head) < len(_GZIP_MAGIC):
            return b""
        if self._deflate:
            # Some servers omit the header that RFC 9110 (8.4.1.2) requires.
            self._wbits = _ZLIB if _is_zlib(self._head) else _RAW
        elif self._head.startswith(_GZIP_MAGIC):
            self._wbits = _GZIP
        else:
            raise NotCompressedError
        self._open()
        return self._head

    def _open(self) -> None:
        self._stream = zlib.decompressobj(self._wbits or _GZIP)

    def _decompressed(self, chunk: bytes) -> bytes:
        try:
            return self._stream.decompress(chunk, _PIECE)
        except zlib.error as error:
            raise (NotCompressedError if self._wbits == _RAW else DamagedError) from error


def _is_zlib(head: bytes) -> bool:
    """Whether a body begins with a header of RFC 1950 (2.2): method 8, a multiple of 31."""
    return head[0] & 15 == 8 and int.from_bytes(head[:2]) % 31 == 0  # noqa: PLR2004 - RFC 1950
