"""Trusted certificate authorities: the system's and certifi's, or those the environment names.

A company's own authority is in the system's store only, and certifi's store is as old as the
installation of geofence.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

from urllib3.util.ssl_ import create_urllib3_context

from geofence.errors import ListError
from geofence.model.frozen import dataclass
from geofence.translation import tr

_OF_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_FILE, _DIRECTORY = "SSL_CERT_FILE", "SSL_CERT_DIR"

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
"""The store of Debian and Arch, Red Hat, Alpine; Pythons that were not built for the system look
elsewhere."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """The authorities that TLS connections trust."""

    context: ssl.SSLContext
    """Has the authorities that are not left to requests."""
    verify: bool | str
    """For requests: True adds certifi's, or takes what the variables say that it knows itself; a
    path adds only that."""


def authorities(environment: Mapping[str, str] = os.environ) -> Authorities:
    """Find out which authorities to trust.

    Args:
        environment: ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE`` name the only ones that are
            trusted; else ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` do; else the system's store and
            certifi's are.

    Raises:
        ListError: a variable names a file or directory that cannot be used.
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
    known = ssl.get_default_verify_paths().cafile  # was read above
    bundles = [] if known else [each for each in _BUNDLES if Path(each).is_file()]
    for bundle in bundles[:1]:
        _load(context, "system", bundle)
    return Authorities(context, True)


class Trust:
    """The authorities of a run, read when first needed; may be used from any thread."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._lock = threading.Lock()
        self._known: Authorities | None = None

    def authorities(self) -> Authorities:
        """Return the authorities to trust.

        Raises:
            ListError: a variable of the environment names a file that cannot be used.
        """
        with self._lock:
            if self._known is None:
                self._known = authorities()
            return self._known


def _load(context: ssl.SSLContext, name: str, place: str) -> None:
    """Trust the certificates in a file or directory.

    Raises:
        ListError: it cannot be read, or has no certificate.
    """
    try:
        if Path(place).is_dir():
            context.load_verify_locations(capath=place)
        else:
            context.load_verify_locations(cafile=place)
    except OSError as error:  # ssl.SSLError is one
        why = tr("no certificate in it") if isinstance(error, ssl.SSLError) else error.strerror
        raise ListError(
            tr(
                "certificates cannot be checked: {name}={place} cannot be used ({reason}); "
                "set it to a certificate bundle, or unset it.",
                name=name,
                place=place,
                reason=why,
            )
        ) from error
