"""Trusted certificate authorities: the system's and certifi's, or those the environment names.

A company's own authority is in the system's store only, and certifi's store is as old as the
installation of geofence.
"""

from __future__ import annotations

import os
import ssl
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    verify: bool | str
    """For requests, which adds authorities on its own: True adds certifi's, or takes what the
    variables say that it knows itself; a path adds only that. The context has them already."""


def authorities(environment: Mapping[str, str] = os.environ) -> Authorities:
    """Find out which authorities to trust.

    Args:
        environment: ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE`` name the only ones that are
            trusted; else ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` do; else the system's store and
            certifi's are.

    Raises:
        ListError: a variable names a file or directory that cannot be used.
    """
    context = _context()
    named = {name: environment.get(name, "") for name in (*_OF_REQUESTS, _FILE, _DIRECTORY)}
    for name in _OF_REQUESTS:
        if named[name]:
            _load(context, name, named[name])
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
    _load(context, "certifi", _certifis())
    return Authorities(context, True)


class _Context(ssl.SSLContext):
    """Whose connections end only where the other side says so by TLS.

    A body without a length ends with its connection, and anybody on the way can end that of TCP.
    """

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:  # noqa: ANN401 - passed on
        """Return a socket that speaks TLS."""
        return super().wrap_socket(*args, **(options | {"suppress_ragged_eofs": False}))


def _context() -> ssl.SSLContext:
    """Return what requires certificates, for the name of the host, as urllib3's does."""
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    return context


def _certifis() -> str:
    from certifi import where  # takes a while to import; only TLS needs it

    return where()


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
