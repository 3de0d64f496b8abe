"""The keys of ``[asterisk]``: which configuration the fence follows."""

from __future__ import annotations

import re

from geofence.model.asterisk import DERIVED_SERVICES, Following
from geofence.policy.mistakes import Mistake
from geofence.policy.table_reader import Section, rule_name
from geofence.policy.toml_tree import Scalar, Table
from geofence.spelling import quoted
from geofence.translation import tr

_DEFAULT = Following()


def read_following(section: Section) -> Following:
    """Return what the table says; complain about what is wrong."""
    return Following(
        section.flag("follow", default=_DEFAULT.enabled),
        section.value("directory", _directory, _DEFAULT.directory),
        section.values("ignored", rule_name) or (),
        section.value("cli", _program, None) or "",
    )


def derived_services(rules: Table) -> tuple[str, ...]:
    """Return the names of services that following may add to rules; none if they do not follow."""
    match rules.entries.get("asterisk"):
        case Table(entries={"follow": Scalar(True)}):
            return DERIVED_SERVICES
    return ()


def _directory(text: str) -> str:
    """Read the absolute path of a directory.

    Raises:
        Mistake: it is not one.
    """
    return _path(text, tr('the directory with pjsip.conf, such as "/etc/asterisk"'))


def _program(text: str) -> str:
    """Read the absolute path of a program.

    Raises:
        Mistake: it is not one.
    """
    return _path(text, tr('the path of the program, such as "/usr/sbin/asterisk"'))


def _path(text: str, expected: str) -> str:
    if re.fullmatch(r"/[^\0\r\n]{0,4000}", text):
        return text
    raise Mistake(tr("{value} is not an absolute path", value=quoted(text)), expected)
