"""Signed mirrors as rules write them: ``[source.mirror]`` and ``[mirror]``."""

from __future__ import annotations

from geofence.mirror.signature import key_id
from geofence.model.policy import MirrorSource, Publishing
from geofence.policy.mistakes import Mistake
from geofence.policy.quantities import age
from geofence.policy.recipients import file_path
from geofence.policy.table_reader import Section
from geofence.policy.urls import url
from geofence.spelling import quoted
from geofence.translation import tr

_DEFAULT = Publishing()


def mirror_source(section: Section) -> MirrorSource:
    """Return where lists come from, if it is a signed mirror; complain about what is wrong."""
    urls, keys = section.values("urls", _mirror), section.values("keys", public_key)
    if section.gives("urls") and not section.gives("keys"):
        wrong = tr("a mirror without a key cannot be verified")
        expected = tr("keys, as 'geofence mirror --new-key FILE' prints them on the mirror")
        section.complain(Mistake(wrong, expected), "urls")
    fallback = section.flag("fallback", default=False)
    return MirrorSource(urls or (), keys or (), fallback)


def publishing(section: Section) -> Publishing:
    """Return the mirror to make for other hosts; complain about what is wrong."""
    directory = section.value("directory", directory_path, None)
    key_file = section.value("key_file", file_path, None)
    if section.gives("directory") != section.gives("key_file"):
        wrong = tr("a mirror needs a directory and a key")
        expected = tr("directory and key_file; 'geofence mirror --new-key FILE' makes a key")
        section.complain(Mistake(wrong, expected))
    expires = section.value("expires", age, _DEFAULT.expires)
    keyed = section.flag("keyed", default=_DEFAULT.keyed)
    return Publishing(directory or "", key_file or "", expires, keyed)


def _mirror(text: str) -> str:
    """Read the URL of a mirror's directory; return it with a slash at the end.

    Raises:
        Mistake: it is not an https URL.
    """
    if text.startswith("/") or text[:5].lower() == "file:":
        wrong = tr("{url} is not an https URL", url=quoted(text))
        raise Mistake(wrong, tr("the URL of a mirror, such as https://lists.example.com/geofence/"))
    found = url(text)
    if "?" in found or "#" in found:
        wrong = tr("{url} is not the URL of a directory", url=quoted(text))
        raise Mistake(wrong, tr("the URL of a mirror, such as https://lists.example.com/geofence/"))
    return found if found.endswith("/") else f"{found}/"


def public_key(text: str) -> str:
    """Read a public key of minisign.

    Raises:
        Mistake: it is not one.
    """
    try:
        key_id(text)
    except ValueError as error:
        raise Mistake(
            tr("{value} is not a public key of minisign", value=quoted(text)),
            tr("56 characters that begin with \"RW\", as 'geofence mirror --new-key FILE' prints"),
        ) from error
    return text


def directory_path(text: str) -> str:
    """Read the absolute path of a directory.

    Raises:
        Mistake: it is not one.
    """
    plain = text.isprintable() and not {"", ".", ".."} & set(text.rstrip("/").split("/")[1:])
    if text.startswith("/") and plain and text.strip("/"):
        return text.rstrip("/")
    wrong = tr("{value} is not an absolute path", value=quoted(text))
    raise Mistake(wrong, tr('the path of a directory such as "/srv/geofence"'))
