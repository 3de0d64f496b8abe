"""Whose certificates are trusted: the system's store and certifi's, or what the environment names.

A company's own authority is in the system's store only; and certifi's is as old as the day on which
geofence was installed.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from urllib3.util.ssl_ import create_urllib3_context

from geofence.errors import ListError

_OF_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_FILE, _DIRECTORY = "SSL_CERT_FILE", "SSL_CERT_DIR"

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
"""Where systems keep their store: Debian and Arch, Red Hat, Alpine; Pythons that were not built for
the system look elsewhere."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """What TLS connections trust."""

    context: ssl.SSLContext
    """Has the authorities that are not left to requests."""
    verify: bool | str
    """For requests: True adds certifi's, or takes what the variables say that it knows itself; a
    path adds only that."""


def authorities(environment: Mapping[str, str] = os.environ) -> Authorities:
    """Find out what to trust.

    Args:
        environment: ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE`` name the only ones that are
            trusted; else ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` do; else the system's store and
            certifi's are.

    Raises:
        ListError: a variable names nothing that can be used.
    """
    context = create_urllib3_context()
    named = {name: environment.get(name, "") for name in (*_OF_REQUESTS, _FILE, _DIRECTORY)}
    for name in _OF_REQUESTS:
        if named[name]:
            _load(create_urllib3_context(), name, named[name])
            return Authorities(context, True)
    directories = [each for each in named[_DIRECTORY].split(os.pathsep) if each]
    places = [(_FILE, named[_FILE])] if named[_FILE] else []
    places += [(_DIRECTORY, each) for each in directories]
    for name, place in places:
        _load(context, name, place)
    if places:
        return Authorities(context, places[0][1])
    context.load_default_certs()
    known = ssl.get_default_verify_paths().cafile  # has been read just now
    bundles = [] if known else [each for each in _BUNDLES if Path(each).is_file()]
    for bundle in bundles[:1]:
        _load(context, "the system's store", bundle)
    return Authorities(context, True)


class Trust:
    """What all clients of a run trust, read once it is needed; may be used from any thread."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._lock = threading.Lock()
        self._known: Authorities | None = None

    def authorities(self) -> Authorities:
        """Return what to trust.

        Raises:
            ListError: a variable of the environment names nothing that can be used.
        """
        with self._lock:
            if self._known is None:
                self._known = authorities()
            return self._known


def _load(context: ssl.SSLContext, name: str, place: str) -> None:
    """Trust the certificates in a file or directory.

    Raises:
        ListError: there are none.
    """
    try:
        if Path(place).is_dir():
            context.load_verify_locations(capath=place)
        else:
            context.load_verify_locations(cafile=place)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror if not isinstance(error, ssl.SSLError) else "it holds no certificate"
        raise ListError(
            f"no certificate can be checked, for {name} names {place}, which cannot be used "
            f"({why}); name a bundle of certificates there, or nothing."
        ) from error
