"""The configuration's files, loaded once each, and where objects of each type come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from geofence.asterisk.files import Files
from geofence.asterisk.findings import Findings
from geofence.asterisk.loading import Loaded, load
from geofence.asterisk.options import TYPES
from geofence.asterisk.reading import ReadingWarning, WarningKind
from geofence.asterisk.sections import Section, printable

PJSIP = "pjsip.conf"
_CRITERIA = "criteria="
_SORCERY_SECTIONS = {
    "identify": "res_pjsip_endpoint_identifier_ip",
    "registration": "res_pjsip_outbound_registration",
}
"""Sections of sorcery.conf for types that res_pjsip itself does not define."""
_RELEVANT = ("transport", "aor", "identify", "registration", "endpoint")


class Object(NamedTuple):
    """An object: a section with a type, or what a wizard makes of one."""

    section: Section
    label: str
    """For people: ``aor north``, ``wizard north``."""

    @property
    def where(self) -> str:
        """File and section."""
        return self.section.where


@dataclass(slots=True)
class Objects:
    """The objects of one type."""

    loaded: list[Object] = field(default_factory=list)
    lost: list[Object] = field(default_factory=list)
    """Those that Asterisk met before it dropped all of them for a duplicate."""
    unread: list[Object] = field(default_factory=list)
    """The duplicate, and whatever is behind it."""
    in_database: bool = False


class Configuration:
    """All files of a configuration directory, as far as somebody asks for them."""

    def __init__(self, files: Files, findings: Findings) -> None:
        self._files = files
        self._findings = findings
        self._loaded: dict[str, Loaded] = {}
        self._types: dict[str, dict[str, list[Section]]] = {}
        self.tables: dict[str, str] = {}
        """What extconfig.conf takes from a database: files and families, by name."""
        self.tables = self._mapped_tables()

    def _mapped_tables(self) -> dict[str, str]:
        settings = self.file("extconfig.conf").section("settings")
        tables = {}
        for key in settings.keys if settings else ():
            driver, _, table = key.value.partition(",")
            if driver and table:
                tables[key.name] = printable(key.value)
        return tables

    @property
    def read(self) -> tuple[str, ...]:
        """All files that were read, each once."""
        return tuple(dict.fromkeys(path for each in self._loaded.values() for path in each.files))

    @property
    def invalid(self) -> tuple[str, ...]:
        """The files that Asterisk refuses whole."""
        return tuple(printable(each.name) for each in self._loaded.values() if not each.valid)

    def file(self, name: str) -> Loaded:
        """Load a file with its includes, and take over what is to be said of it."""
        if name not in self._loaded:
            loaded = load(self._files, name, self.tables)
            self._loaded[name] = loaded
            self._findings.warnings += loaded.warnings
            for each in loaded.unseen:
                table = self.tables.get(str(each.data.get("what")))
                if each.kind is WarningKind.REALTIME and table:
                    each.data["table"] = table
                self._findings.unseen.append(each)
            if not loaded.valid:
                self._findings.unseen.append(
                    ReadingWarning(WarningKind.FILE_INVALID, printable(name))
                )
        return self._loaded[name]

    def runs(self, module: str) -> bool:
        """Whether modules.conf lets Asterisk load a module, named without ``.so``."""
        modules = self.file("modules.conf").section("modules")
        if modules is None:
            return True
        wanted = (modules.last("autoload") or "yes").lower() in TRUE
        for key in modules.keys:
            if key.value.removesuffix(".so").lower() != module:
                continue
            name = key.name.lower()
            if name == "noload":
                return False
            wanted = wanted or name in ("load", "preload", "require", "preload-require")
        return wanted

    def objects(self, wanted: str) -> Objects:
        """Return the objects of a type, wherever sorcery.conf takes them from."""
        objects = Objects()
        for wizard, data in self._sources(wanted):
            if wizard == "config":
                self._add(objects, wanted, data)
            elif wizard != "memory":
                objects.in_database = True
                table = data.split(",")[0]
                self._findings.unsee(
                    WarningKind.REALTIME,
                    "sorcery.conf",
                    what=wanted,
                    table=printable(self._table(wizard, table)),
                )
        return objects

    def _table(self, wizard: str, table: str) -> str:
        found = self.tables.get(table)
        return f"{table}, {found}" if found else table or wizard

    def _sources(self, wanted: str) -> list[tuple[str, str]]:
        name = _SORCERY_SECTIONS.get(wanted, "res_pjsip")
        section = self.file("sorcery.conf").section(name)
        values = [key.value for key in section.named(wanted)] if section else []
        found = []
        for each in values:
            wizard, _, data = each.partition(",")
            found.append((wizard.strip(), data.strip()))
        return found or [("config", f"{PJSIP},criteria=type={wanted}")]

    def _add(self, objects: Objects, wanted: str, data: str) -> None:
        name, *conditions = data.split(",")
        criteria = [each for each in conditions if each.startswith(_CRITERIA)]
        loaded = self.file(name)
        if not loaded.counts:
            return
        found = self._meeting(loaded, criteria[-1]) if criteria else loaded.live
        seen: set[str] = set()
        for at, section in enumerate(found):
            if section.name in seen:
                self._duplicate(objects, wanted, found, at)
                return
            seen.add(section.name)
        objects.loaded += [_object(each, wanted) for each in found]

    def _meeting(self, loaded: Loaded, criteria: str) -> list[Section]:
        """Return the sections that ``criteria=name=value`` selects."""
        name, _, value = criteria.removeprefix(_CRITERIA).partition("=")
        if name.lower() == "type":
            return self._of_type(loaded, value)
        return [each for each in loaded.live if each.first(name.lower()) == value]

    def _duplicate(self, objects: Objects, wanted: str, found: list[Section], at: int) -> None:
        self._findings.warn(
            WarningKind.OBJECT_DUPLICATE,
            found[at].where,
            name=printable(found[at].name),
            type=wanted,
        )
        objects.lost += [_object(each, wanted) for each in found[:at]]
        objects.unread += [_object(each, wanted) for each in found[at:]]

    def _of_type(self, loaded: Loaded, wanted: str) -> list[Section]:
        if loaded.name not in self._types:
            types: dict[str, list[Section]] = {}
            for section in loaded.live:
                given = [key.value for key in section.named("type")]
                if given:
                    types.setdefault(given[0], []).append(section)
                    self._check_type(section, given)
            self._types[loaded.name] = types
        return self._types[loaded.name].get(wanted, [])

    def _check_type(self, section: Section, given: list[str]) -> None:
        first = given[0]
        if first not in TYPES and first.lower() in TYPES:
            self._findings.warn(
                WarningKind.TYPE_UNKNOWN, section.where, value=first, meant=first.lower()
            )
        for value in given[1:]:
            if value != first and value in _RELEVANT:
                self._findings.warn(
                    WarningKind.TYPE_GIVEN_BEFORE,
                    section.where,
                    value=value,
                    first=printable(first),
                )


def _object(section: Section, wanted: str) -> Object:
    return Object(section, f"{wanted} {printable(section.name)}")


TRUE = frozenset(["yes", "true", "y", "t", "1", "on"])
"""What Asterisk takes for a yes, in lower case."""


def is_true(value: str | None) -> bool:
    """Whether Asterisk takes a value for a yes."""
    return value is not None and value.lower() in TRUE
