"""Sentences about objects that Asterisk drops, or that mean something else than they seem to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from geofence.asterisk.reading import ReadingWarning, WarningKind
from geofence.translation import tr


def _listed(warning: ReadingWarning, key: str) -> str:
    return ", ".join(map(str, cast("Iterable[object]", warning.data[key])))


def _type_unknown(warning: ReadingWarning) -> str:
    return tr(
        "type={value} is not {meant}: upper and lower case matter here. Asterisk ignores the "
        "section.",
        value=warning.data["value"],
        meant=warning.data["meant"],
    )


def _type_given_before(warning: ReadingWarning) -> str:
    return tr(
        "Its type is {first}, which is given or inherited before {value}.",
        first=warning.data["first"],
        value=warning.data["value"],
    )


def _option_unknown(warning: ReadingWarning) -> str:
    return tr(
        "Unknown options: {options}. Asterisk drops the object, unless your version knows them.",
        options=_listed(warning, "options"),
    )


def _option_by_version(warning: ReadingWarning) -> str:
    return tr(
        "{options}: Asterisk before 23 does not know it and drops the object.",
        options=_listed(warning, "options"),
    )


def _object_duplicate(warning: ReadingWarning) -> str:
    return tr(
        '"{name}" of type {type} is defined twice. Asterisk loads no object of this type from the '
        "file.",
        name=warning.data["name"],
        type=warning.data["type"],
    )


def _option_missing(warning: ReadingWarning) -> str:
    return tr("{option} is missing, so Asterisk drops the object.", option=warning.data["option"])


def _value_invalid(warning: ReadingWarning) -> str:
    return tr(
        '{option} is "{value}", which is not valid. Asterisk ignores it or drops the object.',
        option=warning.data["option"],
        value=warning.data["value"],
    )


def _space_after_comma(warning: ReadingWarning) -> str:
    return tr(
        "{option} has a space after a comma, so Asterisk drops the object. Remove the space.",
        option=warning.data["option"],
    )


def _bound_twice(warning: ReadingWarning) -> str:
    return tr(
        "{bind} belongs to {other} already, so Asterisk refuses this transport.",
        bind=warning.data["bind"],
        other=warning.data["other"],
    )


def _no_sip_transport(_: ReadingWarning) -> str:
    return tr("No SIP transport is configured, so nothing listens for SIP.")


def _forwarded_port(warning: ReadingWarning) -> str:
    return tr(
        "Others reach port {port} through a forward. This host listens on port {listens}, which is "
        "the one to fence.",
        port=warning.data["port"],
        listens=warning.data["listens"],
    )


def _key_twice(warning: ReadingWarning) -> str:
    return tr(
        "{option} has several values: {values}. Asterisk up to 22 takes the first, later versions "
        "the last. geofence counts both.",
        option=warning.data["option"],
        values=_listed(warning, "values"),
    )


def _range_invalid(warning: ReadingWarning) -> str:
    return tr(
        "{first} to {last} is not a valid range of ports, so Asterisk uses its default.",
        first=warning.data["first"],
        last=warning.data["last"],
    )


def _no_certificate(_: ReadingWarning) -> str:
    return tr("HTTPS is enabled without tlscertfile, so Asterisk does not start it.")


def _http_without_address(_: ReadingWarning) -> str:
    return tr("HTTP is enabled without bindaddr, so Asterisk does not start it.")


def _module_not_loaded(warning: ReadingWarning) -> str:
    return tr(
        "The module {module} is not loaded, so its configuration does not count.",
        module=warning.data["module"],
    )


OBJECT_SENTENCES: Mapping[WarningKind, Callable[[ReadingWarning], str]] = {
    WarningKind.TYPE_UNKNOWN: _type_unknown,
    WarningKind.TYPE_GIVEN_BEFORE: _type_given_before,
    WarningKind.OPTION_UNKNOWN: _option_unknown,
    WarningKind.OPTION_BY_VERSION: _option_by_version,
    WarningKind.OBJECT_DUPLICATE: _object_duplicate,
    WarningKind.OPTION_MISSING: _option_missing,
    WarningKind.VALUE_INVALID: _value_invalid,
    WarningKind.SPACE_AFTER_COMMA: _space_after_comma,
    WarningKind.BOUND_TWICE: _bound_twice,
    WarningKind.NO_SIP_TRANSPORT: _no_sip_transport,
    WarningKind.FORWARDED_PORT: _forwarded_port,
    WarningKind.KEY_TWICE: _key_twice,
    WarningKind.RANGE_INVALID: _range_invalid,
    WarningKind.NO_CERTIFICATE: _no_certificate,
    WarningKind.HTTP_WITHOUT_ADDRESS: _http_without_address,
    WarningKind.MODULE_NOT_LOADED: _module_not_loaded,
}
"""Those of objects and of files with settings."""
