"""Random models of a configuration, and the same rendered in one of many ways."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from hypothesis import strategies as st

_NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
_HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,6}\.example", fullmatch=True)
_PORTS = st.integers(1, 65535)
_ADDRESSES = st.integers(0xCB007101, 0xCB0071FE).map(lambda number: str(IPv4Network(number))[:-3])
"""Those of 203.0.113.0/24, which no transport of a model has."""
_NETWORKS = st.builds(
    lambda number, length: IPv4Network((number << 8, length), strict=False),
    st.integers(10 << 16, (11 << 16) - 1),
    st.integers(9, 24),
)
_BINDS = ("0.0.0.0", "192.0.2.1", "::", "2001:db8::1")  # noqa: S104 - written, not bound


@dataclass(frozen=True)
class Model:
    """What a configuration means."""

    transports: dict[str, tuple[str, str, int]]
    """Protocol, address and port by name."""
    nets: tuple[IPv4Network, ...]
    contacts: dict[str, tuple[tuple[str, int], ...]]
    matches: dict[str, tuple[str, ...]]
    registrations: dict[str, tuple[str, int]]
    rtp: tuple[int, int] | None
    iax: int | None


def _distinct(transports: dict[str, tuple[str, str, int]]) -> bool:
    sockets = {(protocol == "udp", bind, port) for protocol, bind, port in transports.values()}
    return len(sockets) == len(transports)


MODELS = st.builds(
    Model,
    transports=st.dictionaries(
        _NAMES,
        st.tuples(st.sampled_from(["udp", "tcp", "tls"]), st.sampled_from(_BINDS), _PORTS),
        min_size=1,
        max_size=4,
    ).filter(_distinct),
    nets=st.lists(_NETWORKS, max_size=3, unique=True).map(tuple),
    contacts=st.dictionaries(
        _NAMES,
        st.lists(st.tuples(_HOSTS, _PORTS | st.just(0)), min_size=1, max_size=3).map(tuple),
        max_size=3,
    ),
    matches=st.dictionaries(
        _NAMES, st.lists(_ADDRESSES, min_size=1, max_size=4).map(tuple), max_size=3
    ),
    registrations=st.dictionaries(_NAMES, st.tuples(_HOSTS, _PORTS | st.just(0)), max_size=3),
    rtp=st.none() | st.tuples(st.integers(1024, 30000), st.integers(30002, 65535)),
    iax=st.none() | st.integers(1024, 65535),
)


def host_port(host: str, port: int) -> str:
    text = f"[{host}]" if ":" in host else host
    return f"{text}:{port}" if port else text


Keys = list[tuple[str, str]]


@dataclass
class Renderer:
    """Writes a model down, with a random choice wherever the grammar leaves one."""

    chance: random.Random
    files: dict[str, str] = field(default_factory=dict)
    _number: int = 0

    def render(self, model: Model) -> dict[str, str]:
        """Return the files."""
        blocks = [self._section(name, keys) for name, keys in self._objects(model)]
        self.chance.shuffle(blocks)
        self.files["pjsip.conf"] = self._joined(blocks)
        if model.rtp:
            keys = [("rtpstart", str(model.rtp[0])), ("rtpend", str(model.rtp[1]))]
            self.files["rtp.conf"] = self._section("general", keys)
        if model.iax:
            self.files["iax.conf"] = self._section("general", [("bindport", str(model.iax))])
        return self.files

    def _objects(self, model: Model) -> list[tuple[str, Keys]]:
        objects: list[tuple[str, Keys]] = []
        for at, (name, (protocol, bind, port)) in enumerate(model.transports.items()):
            keys = [("type", "transport"), ("protocol", protocol), ("bind", host_port(bind, port))]
            nets = [("local_net", self._net(each)) for each in model.nets] if at == 0 else []
            objects.append((name, keys + nets))
        for name, contacts in model.contacts.items():
            values = [("contact", f"sip:{host_port(*each)}") for each in contacts]
            objects.append((name, [("type", "aor"), *values]))
        for name, (host, port) in model.registrations.items():
            uri = f"sip:1@{host_port(host, port)}\\;transport=tcp"
            keys = [
                ("type", "registration"),
                ("server_uri", uri),
                ("client_uri", "sip:a@b.example"),
            ]
            objects.append((name, keys))
        for name, matches in model.matches.items():
            values = [("match", self.chance.choice([", ", ","]).join(matches))]
            if self.chance.random() < 0.5:
                values = [("match", each) for each in matches]
            objects.append((name, [("type", "identify"), ("endpoint", name), *values]))
        return objects

    def _net(self, net: IPv4Network) -> str:
        return self.chance.choice([str(net), net.with_netmask])

    def _section(self, name: str, keys: Keys) -> str:
        """Return a section; perhaps with a template before it, or with an include."""
        here, elsewhere = keys, Keys()
        how = self.chance.choice(["plain", "template", "include"])
        if how != "plain":
            cut = self.chance.randrange(len(keys) + 1)
            here, elsewhere = keys[:cut], keys[cut:]
        if how == "template":
            # Values of the template come first; only the order of one key matters here.
            template = self._fresh("T")
            text = f"[{template}](!)\n{self._lines(here)}"
            return f"{text}[{name}]({self._case(template)})\n{self._lines(elsewhere)}"
        text = f"[{name}]{self._comment()}\n{self._lines(here)}"
        if elsewhere:
            file = f"{self._fresh('part')}.conf"
            self.files[file] = self._lines(elsewhere)
            text += f'#include "{file}"{self._comment()}\n'
        return text

    def _fresh(self, start: str) -> str:
        self._number += 1
        return f"{start}_{self._number}"

    def _joined(self, blocks: Sequence[str]) -> str:
        text = self.chance.choice(["", "\ufeff"])
        for block in blocks:
            text += self.chance.choice(
                ["", "\n", ";--\n[lost]\ntype=transport\n--;\n", ";---- x\n"]
            )
            if self.chance.random() < 0.3:
                file = f"{self._fresh('more')}.conf"
                self.files[file] = block
                text += f"#include {file}\n"
            else:
                text += block
        return text

    def _lines(self, keys: Keys) -> str:
        return "".join(self._line(name, value) for name, value in keys)

    def _line(self, name: str, value: str) -> str:
        equals = self.chance.choice(["=", " = ", "=>", " => ", "\t=\t"])
        indent = self.chance.choice(["", "  ", "\t"])
        end = self.chance.choice(["\n", "\r\n", "\n\n", "\n  \n"])
        return f"{indent}{self._case(name)}{equals}{value}{self._comment()}{end}"

    def _case(self, text: str) -> str:
        return self.chance.choice([text, text.upper(), text.title()])

    def _comment(self) -> str:
        return self.chance.choice(["", "", " ; x=y", ";", " ;-- in between --; ; [x]"])
