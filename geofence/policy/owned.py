"""The rules file that the command line owns: what it may hold, its reading and its writing.

It has switches for exceptions of other files, whole exceptions that ``allow`` made, and countries.
Whoever writes anything else into it by hand gets an error before it would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TypeVar

from geofence.model.frozen import dataclass, field, replace
from geofence.model.policy import CountrySwitch, NamedException, has_ended
from geofence.model.prefixes import AddressSpace, address_texts
from geofence.policy.addresses import host_name, prefix
from geofence.policy.countries import country_code
from geofence.policy.mistakes import Mistake, Problems
from geofence.policy.quantities import utc
from geofence.policy.table_reader import description, rule_name
from geofence.policy.toml_tree import Array, Node, Scalar, Table, parse
from geofence.translation import tr

OWNED_FILE = "99-command-line.toml"
"""Name of the command line's file, in the directory with the operator's rules."""

_HEADER = """\
# Written by "geofence allow" and "geofence revoke", which overwrite all changes. Put rules of your
# own into another file of this directory.
"""
_DEFINING = ("prefixes", "hosts")
"""Keys of an exception that ``allow`` made, of which it has one or both."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether an exception of another file is enabled."""

    enabled: bool
    note: str = ""
    until: datetime | None = None
    """When it stops being enabled, UTC; None: never."""
    revoked_after: bool = False
    """Whether it is disabled after that, since it was before, whatever the other rules say."""


@dataclass(frozen=True, slots=True)
class Owned:
    """What the file says."""

    switches: Mapping[str, Switch] = field(default_factory=dict)
    """By the name of an exception that another file defines."""
    exceptions: Mapping[str, NamedException] = field(default_factory=dict)
    """Exceptions that ``allow`` made, by name."""
    countries: Mapping[str, CountrySwitch] = field(default_factory=dict)
    """By code."""

    def switched(self, names: Iterable[str], enabled: bool) -> Owned:
        """Return it with exceptions of other files enabled or disabled, without an end.

        Raises:
            Mistake: (a ValueError) a name is not valid for an exception.
        """
        return self.with_switches(dict.fromkeys(names, Switch(enabled)))

    def with_switches(self, switches: Mapping[str, Switch]) -> Owned:
        """Return it with switches of exceptions, in place of those that it has.

        Raises:
            Mistake: (a ValueError) a name is not valid for an exception.
        """
        checked = {rule_name(name): switch for name, switch in switches.items()}
        return replace(self, switches={**self.switches, **checked})

    def with_exception(self, made: NamedException) -> Owned:
        """Return it with an exception, in place of one of that name."""
        return replace(self, exceptions={**self.exceptions, rule_name(made.name): made})

    def with_country(self, country: CountrySwitch) -> Owned:
        """Return it with a country, in place of what it says of that country."""
        return replace(self, countries={**self.countries, country.code: country})

    def without(self, names: Collection[str] = (), codes: Collection[str] = ()) -> Owned:
        """Return it without exceptions that ``allow`` made, and without countries."""
        return replace(
            self,
            exceptions={name: each for name, each in self.exceptions.items() if name not in names},
            countries={code: each for code, each in self.countries.items() if code not in codes},
        )

    def keeping(self, known: Collection[str]) -> Owned:
        """Return it without the switches of other exceptions than the known ones."""
        kept = {name: switch for name, switch in self.switches.items() if name in known}
        return replace(self, switches=kept)

    def at(self, now: datetime) -> Owned:
        """Return it without what has ended; what was revoked before that is revoked again."""
        ended = {name for name, each in self.switches.items() if has_ended(each.until, now)}
        switches = {
            name: Switch(enabled=False) if name in ended else switch
            for name, switch in self.switches.items()
            if name not in ended or switch.revoked_after
        }
        exceptions = {n: e for n, e in self.exceptions.items() if not has_ended(e.until, now)}
        countries = {code: left for code, e in self.countries.items() if (left := e.at(now))}
        return Owned(switches, exceptions, countries)

    def text(self) -> str:
        """Return the file's text."""
        tables = {
            **{f"exception.{name}": _switch_lines(each) for name, each in self.switches.items()},
            **{f"exception.{name}": _made_lines(each) for name, each in self.exceptions.items()},
            **{f"country.{code}": _country_lines(each) for code, each in self.countries.items()},
        }
        return _HEADER + "".join(
            "".join(f"{line}\n" for line in ("", f"[{table}]", *tables[table]))
            for table in sorted(tables)
        )


def _switch_lines(switch: Switch) -> Iterator[str]:
    yield f"enabled = {_flag(switch.enabled)}"
    yield from _common_lines((), switch.note, switch.until)
    yield from _after_lines(switch.revoked_after)


def _made_lines(made: NamedException) -> Iterator[str]:
    if made.prefixes:
        yield f"prefixes = {_list(address_texts(made.prefixes))}"
    if made.hosts:
        yield f"hosts = {_list(made.hosts)}"
    yield from _common_lines(made.services, made.note, made.until)


def _country_lines(country: CountrySwitch) -> Iterator[str]:
    yield f"allowed = {_flag(country.allowed)}"
    yield from _common_lines(country.services, country.note, country.until)
    yield from _after_lines(country.revoked_after)


def _after_lines(revoked_after: bool) -> Iterator[str]:
    if revoked_after:
        yield f"revoked_after = {_flag(True)}"


def _common_lines(services: tuple[str, ...], note: str, until: datetime | None) -> Iterator[str]:
    if services:
        yield f"services = {_list(services)}"
    if note:
        yield f"note = {_string(note)}"
    if until:
        yield f"until = {until.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_string, texts))}]"


def _string(text: str) -> str:
    """Return a string that has no invisible characters as TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _foreign() -> Mistake:
    return Mistake(
        tr("this was not written by 'geofence allow' or 'geofence revoke', which would delete it"),
        tr(
            "only exceptions and countries as these commands write them; "
            "move other rules into another file of the directory"
        ),
    )


def is_owned(file: str) -> bool:
    """Whether the rules file of that path is the one that the command line writes."""
    return PurePath(file).name == OWNED_FILE


def read_owned(text: str) -> Owned:
    """Return what the file says.

    Args:
        text: of the file; empty if there is no such file yet.

    Raises:
        RulesError: the file contains something that the command line does not write.
    """
    problems = Problems()
    root = parse(text, OWNED_FILE, problems)
    problems.raise_any()
    owned = Owned()
    for kind, name, table in _tables(root, problems) if root else ():
        try:
            owned = _with_table(owned, kind, name, _Keys(table))
        except _ForeignError as error:
            problems.add(error.origin, _foreign())
    problems.raise_any()
    return owned


class _ForeignError(ValueError):
    """Something that the command line does not write."""

    def __init__(self, node: Node) -> None:
        """Note where it stands."""
        super().__init__(str(node.origin))
        self.origin = node.origin


def _tables(root: Table, problems: Problems) -> Iterator[tuple[str, str, Table]]:
    """Yield the tables within ``[exception]`` and ``[country]``, with the names of both."""
    for kind, outer in root.entries.items():
        if kind not in ("exception", "country") or not isinstance(outer, Table):
            problems.add(_first(outer).origin, _foreign())
            continue
        for name, inner in outer.entries.items():
            if isinstance(inner, Table) and inner.entries:
                yield kind, name, inner
            else:
                problems.add(inner.origin, _foreign())


def _first(node: Node) -> Node:
    """Return the first value in a table."""
    while isinstance(node, Table) and node.entries:
        node = next(iter(node.entries.values()))
    return node


def _with_table(owned: Owned, kind: str, name: str, keys: _Keys) -> Owned:
    if keys.named(name, country_code if kind == "country" else rule_name) != name:
        raise _ForeignError(keys.first)
    if kind == "country":
        changed = owned.with_country(_country(name, keys))
    elif keys.has(*_DEFINING):
        changed = owned.with_exception(_made(name, keys))
    else:
        changed = owned.with_switches({name: _switch(keys)})
    keys.finish()
    return changed


def _switch(keys: _Keys) -> Switch:
    enabled = keys.flag("enabled")
    until = keys.end() if enabled else None
    return Switch(enabled, keys.text("note"), until, keys.revoked_after(until))


def _country(code: str, keys: _Keys) -> CountrySwitch:
    allowed = keys.flag("allowed")
    until = keys.end() if allowed else None
    return CountrySwitch(
        code,
        allowed,
        services=keys.texts("services", rule_name),
        note=keys.text("note"),
        until=until,
        revoked_after=keys.revoked_after(until),
    )


def _made(name: str, keys: _Keys) -> NamedException:
    return NamedException(
        name,
        hosts=keys.texts("hosts", host_name),
        prefixes=AddressSpace.of(keys.texts("prefixes", prefix)),
        services=keys.texts("services", rule_name),
        note=keys.text("note"),
        until=keys.end(),
    )


class _Keys:
    """The keys of a table, each of which is asked for once."""

    def __init__(self, table: Table) -> None:
        """Wrap a table that has a key."""
        self._left = dict(table.entries)
        self.first = _first(table)

    def has(self, *keys: str) -> bool:
        """Whether one of the keys is there, and not an empty list."""
        found = (self._left.get(key) for key in keys)
        return any(node and (not isinstance(node, Array) or node.items) for node in found)

    def named(self, name: str, read: Callable[[str], str]) -> str:
        """Read the name of the table."""
        return _read(self.first, read, name)

    def flag(self, key: str) -> bool:
        """Read true or false, which must be there."""
        node = self._left.pop(key, self.first)
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        raise _ForeignError(node)

    def text(self, key: str) -> str:
        """Read a line for people; empty without the key."""
        node = self._left.pop(key, None)
        return _read(node, description) if node else ""

    def texts(self, key: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """Read a list of strings; empty without the key."""
        node = self._left.pop(key, None)
        if node is None:
            return ()
        if not isinstance(node, Array) or not node.items:
            raise _ForeignError(node)
        return tuple(dict.fromkeys(_read(each, read) for each in node.items))

    def end(self) -> datetime | None:
        """Read when it ends."""
        node = self._left.pop("until", None)
        if node is None:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, datetime):
            raise _ForeignError(node)
        try:
            return utc(node.value)
        except Mistake:
            raise _ForeignError(node) from None

    def revoked_after(self, until: datetime | None) -> bool:
        """Read whether it is revoked after its end; only what has an end says so."""
        return "revoked_after" in self._left and until is not None and self.flag("revoked_after")

    def finish(self) -> None:
        """Raise an error if a key was not asked for."""
        for node in self._left.values():
            raise _ForeignError(_first(node))


def _read(node: Node, read: Callable[[str], T], text: str | None = None) -> T:
    """Return what ``read`` makes of a string, or of another text that stands there."""
    if text is None and isinstance(node, Scalar) and isinstance(node.value, str):
        text = node.value
    try:
        if text is not None:
            return read(text)
    except Mistake:
        pass
    raise _ForeignError(node)
