"""Signatures in minisign's format, so that its own program can make keys and check an index.

https://jedisct1.github.io/minisign/. py-minisign and cryptography do the work. They are imported
where they are needed: most installations have no mirror.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from geofence.errors import ListError, MirrorError
from geofence.model.frozen import NamedTuple, dataclass
from geofence.translation import tr

_ALGORITHM = b"Ed"
_KEY_BYTES = 42
"""Algorithm, number of the key and the key itself."""
_LINES = 4
"""Of a signature; what is signed follows."""
_LONGEST_HEAD = 4096
_COMMENT = "signature of geofence"


class Signed(NamedTuple):
    """What was signed, and the number of the key that signed it."""

    content: bytes
    key_id: str


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A pair of keys; the secret one is never shown."""

    secret: bytes
    """The file of the secret key."""
    public: str
    """The public key as rules have it."""

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public!r})"


def key_id(public: str) -> str:
    """Return the number of a public key, in hexadecimal; keys have numbers to tell them apart.

    Raises:
        ValueError: it is not a public key of minisign.
    """
    try:
        key = base64.b64decode(public, validate=True)
    except ValueError as error:  # binascii.Error is one
        raise ValueError(public) from error
    if len(key) != _KEY_BYTES or not key.startswith(_ALGORITHM):
        raise ValueError(public)
    return key[2:10].hex()


def new_key() -> SigningKey:
    """Return a new pair of keys, without a password.

    Raises:
        MirrorError: the library is not installed.
    """
    with _library():
        from minisign import KeyPair

        pair = KeyPair.generate()
        return SigningKey(bytes(pair.secret_key) + b"\n", pair.public_key.to_base64().decode())


def signing_key(secret: bytes) -> SigningKey:
    """Read the file of a secret key, as ``new_key`` and ``minisign -G -W`` make it.

    Raises:
        MirrorError: it is not one, or has a password. No message has any part of it.
    """
    with _library():
        from minisign import Error, SecretKey

        try:
            key = SecretKey.from_bytes(secret)
            encrypted = key.is_encrypted()
            public: bytes = key.get_public_key().to_base64()
        except Error as error:
            raise MirrorError(tr("It does not have a secret key of minisign.")) from error
        if encrypted:
            raise MirrorError(
                tr(
                    "The key has a password, which nobody can type at night. Make one without: "
                    "'geofence mirror --new-key FILE', or 'minisign -G -W'."
                )
            )
        return SigningKey(secret, public.decode())


def signed(content: bytes, key: SigningKey) -> bytes:
    """Return a signature, and what it signs after it.

    Raises:
        MirrorError: the library is not installed, or the key is not one.
    """
    with _library():
        from minisign import Error, SecretKey

        try:
            with SecretKey.from_bytes(key.secret) as secret:
                made = secret.sign(content, untrusted_comment=_COMMENT, trusted_comment=_COMMENT)
        except Error as error:
            raise MirrorError(tr("It does not have a secret key of minisign.")) from error
        return bytes(made) + b"\n" + content


def verified(document: bytes, keys: Collection[str]) -> Signed:
    """Return what one of the keys has signed.

    Args:
        document: a signature, and what it signs after it.
        keys: the public keys that are trusted.

    Raises:
        ListError: it is not signed by any of them, or was changed afterwards.
    """
    head, content = _parts(document)
    with _library():
        from minisign import Error, PublicKey, Signature

        try:
            signature = Signature.from_bytes(head)
        except Error as error:
            raise ListError(tr("It does not begin with a signature of minisign.")) from error
        for each in keys:
            try:
                PublicKey.from_base64(each).verify(content, signature)
            except (Error, ValueError):
                continue
            return Signed(content, key_id(each))
    raise ListError(tr("It is not signed by a key of [source.mirror] keys."))


def _parts(document: bytes) -> tuple[bytes, bytes]:
    """Split a document into the lines of the signature and the rest."""
    at = 0
    for _ in range(_LINES):
        at = document.find(b"\n", at, _LONGEST_HEAD) + 1
        if not at:
            raise ListError(tr("It does not begin with a signature of minisign."))
    return document[: at - 1], document[at:]


@contextmanager
def _library() -> Iterator[None]:
    """Say what to install where the library is missing.

    Raises:
        MirrorError: it is.
    """
    try:
        yield
    except ImportError as error:
        raise MirrorError(
            tr(
                "Signed mirrors need the library py-minisign. Install it with geofence: "
                "pip install 'geofence[mirror]'."
            )
        ) from error
