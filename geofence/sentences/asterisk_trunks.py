"""Sentences about trunks that Asterisk's configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.asterisk.reading import ReadingWarning, WarningKind
from geofence.translation import tr


def _trunk_is_everybody(warning: ReadingWarning) -> str:
    return tr(
        "{host} matches everybody, so geofence makes no exception of it. Remove it, or name the "
        "trunk's addresses.",
        host=warning.data["host"],
    )


def _trunk_is_this_host(warning: ReadingWarning) -> str:
    return tr(
        "{host} is this host itself, so geofence makes no exception of it.",
        host=warning.data["host"],
    )


def _trunk_is_private(warning: ReadingWarning) -> str:
    return tr(
        "{host} is private and not in local_net. It needs an exception all the same.",
        host=warning.data["host"],
    )


def _trunks_in_database(_: ReadingWarning) -> str:
    return tr("There may be more trunks in the database, which cannot be seen here.")


def _media_elsewhere(warning: ReadingWarning) -> str:
    return tr(
        "This trunk has {number} prefixes for signalling. Its media may come from others; look "
        "them up at the provider.",
        number=warning.data["number"],
    )


TRUNK_SENTENCES: Mapping[WarningKind, Callable[[ReadingWarning], str]] = {
    WarningKind.TRUNK_IS_EVERYBODY: _trunk_is_everybody,
    WarningKind.TRUNK_IS_THIS_HOST: _trunk_is_this_host,
    WarningKind.TRUNK_IS_PRIVATE: _trunk_is_private,
    WarningKind.TRUNKS_IN_DATABASE: _trunks_in_database,
    WarningKind.MEDIA_ELSEWHERE: _media_elsewhere,
}
"""Those of trunks."""
