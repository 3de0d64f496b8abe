"""pjsip_wizard.conf: sections that stand for several objects each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from geofence.asterisk.configuration import Configuration, Object, is_true
from geofence.asterisk.sections import Key, Section, printable

_FILE = "pjsip_wizard.conf"
_HOST = "${REMOTE_HOST}"
_TYPE = re.compile("type")


def wizard_objects(configuration: Configuration) -> Iterator[tuple[str, Object]]:
    """Yield the objects that wizards make, each with its type."""
    loaded = configuration.file(_FILE)
    if not loaded.counts or not configuration.runs("res_pjsip_config_wizard"):
        return
    for section in loaded.live:
        if any(_TYPE.search(key.name) and key.value == "wizard" for key in section.keys):
            yield from _Wizard(section).objects()


class _Wizard:
    """One section of type ``wizard``."""

    def __init__(self, section: Section) -> None:
        self._section = section
        hosts = section.last("remote_hosts") or ""
        self._hosts = [each.strip() for each in hosts.split(",")] if hosts else []

    def objects(self) -> Iterator[tuple[str, Object]]:
        """Yield what it makes, in no special order."""
        yield "aor", self._aor()
        yield "endpoint", self._made("endpoint", self._proxy())
        yield from self._registrations()
        if self._says("accepts_registrations") or self._says("sends_line_with_registrations"):
            return
        if self._hosts:
            yield "identify", self._identify()

    def _says(self, option: str) -> bool:
        return is_true(self._section.last(option))

    def _own(self, kind: str) -> list[Key]:
        """Return keys such as ``aor/contact``, without what is before the slash."""
        start = f"{kind}/"
        return [
            key._replace(name=key.name[len(start) :])
            for key in self._section.keys
            if key.name.lower().startswith(start)
        ]

    def _made(self, kind: str, keys: list[Key]) -> Object:
        old = self._section
        made = Section(old.name, old.file, old.line)
        made.keys.extend([*self._own(kind), *keys])
        return Object(made, f"wizard {printable(old.name)} {kind}")

    def _key(self, name: str, value: str) -> Key:
        return Key(name, value, self._section.file, self._section.line)

    def _proxy(self) -> list[Key]:
        proxy = self._section.last("outbound_proxy")
        keys = [self._key("outbound_proxy", proxy)] if proxy else []
        transport = self._section.last("transport")
        return [*keys, self._key("transport", transport)] if transport else keys

    def _aor(self) -> Object:
        keys = [key for key in self._proxy() if key.name != "transport"]
        if not any(key.name.lower() == "contact" for key in self._own("aor")):
            pattern = self._pattern("contact_pattern")
            keys += [self._key("contact", pattern.replace(_HOST, host)) for host in self._hosts]
        return self._made("aor", keys)

    def _pattern(self, option: str) -> str:
        found = self._section.last(option)
        return f"sip:{_HOST}" if found is None else found

    def _identify(self) -> Object:
        keys = [self._key("endpoint", self._section.name or "-")]
        if not any(key.name.lower() == "match" for key in self._own("identify")):
            keys += [self._key("match", host) for host in self._hosts]
        return self._made("identify", keys)

    def _registrations(self) -> Iterator[tuple[str, Object]]:
        if not self._says("sends_registrations"):
            return
        if self._says("sends_auth") and self._section.last("outbound_auth/username") is None:
            return
        pattern = self._pattern("server_uri_pattern")
        client = self._section.last("client_uri_pattern")
        for host in self._hosts:
            keys = [*self._proxy(), self._key("server_uri", pattern.replace(_HOST, host))]
            if client != "":
                keys.append(self._key("client_uri", f"sip:{self._section.name}@{host}"))
            yield "registration", self._made("registration", keys)
