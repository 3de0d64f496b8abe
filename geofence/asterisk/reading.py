"""A reading: what the configuration of an Asterisk makes it do on the network."""

from __future__ import annotations

from enum import StrEnum

from geofence.model.frozen import dataclass, field
from geofence.model.policy import Ports, Protocol


class Use(StrEnum):
    """What a socket that listens is for."""

    SIP = "sip"
    SIPS = "sips"
    """SIP over TLS."""
    HTTP = "http"
    """Asterisk's own web server: WebSockets of browser phones, REST, provisioning."""
    HTTPS = "https"
    IAX = "iax"


class HostKind(StrEnum):
    """How a trunk's host is written."""

    NAME = "name"
    ADDRESS = "address"
    PREFIX = "prefix"


class WarningKind(StrEnum):
    """What a reader has to report. The values are stable: scripts read them.

    ``where`` is a file, with line or section; each kind's data are told beside it.
    """

    # what cannot be seen
    REALTIME = "realtime"
    """``what`` (a type of objects, a file) comes from a database: ``table``."""
    EXEC = "exec"
    """``#exec`` runs ``command``, whose output Asterisk may read; geofence never runs it."""
    PLACEHOLDER = "placeholder"
    """The ``value`` of ``option`` is filled in by another program."""
    NAME_TO_RESOLVE = "name-to-resolve"
    """The ``value`` of ``option`` is a host name, so the address is not known."""
    OUTSIDE = "outside"
    """``path`` is out of the configuration directory, or behind a link that ends out of sight."""
    UNREADABLE = "unreadable"
    """This process may not read ``path``."""
    FILE_INVALID = "file-invalid"
    """Asterisk refuses the file whole, and keeps or lacks what it defines."""
    CHAN_SIP_ONLY = "chan-sip-only"
    """Only chan_sip is configured, which geofence does not read and Asterisk 21 does not have."""

    # files
    INCLUDE_MISSING = "include-missing"
    """``path`` is included and does not exist."""
    CUT_AT_ERROR = "cut-at-error"
    """Of an included file, what follows the error does not count. ``error`` is its kind."""
    SYNTAX = "syntax"
    """``error`` is ``no-bracket``, ``no-parenthesis``, ``no-base``, ``no-section``,
    ``no-addition``, ``escape`` or ``comments``; ``name`` is the section that is not there."""
    INCLUDE_CYCLE = "include-cycle"
    """Files include each other; Asterisk crashes."""
    TOO_LARGE = "too-large"
    """More than geofence reads: bytes, files or keys."""
    LINE_TOO_LONG = "line-too-long"
    COMMENT_OPEN = "comment-open"
    """A block comment has no end, so the rest of the file does not count."""

    # objects
    TYPE_UNKNOWN = "type-unknown"
    """``value`` is no type, but ``meant`` in other letters."""
    TYPE_GIVEN_BEFORE = "type-given-before"
    """The type is ``first``, which came first or is inherited; ``value`` does not count."""
    OPTION_UNKNOWN = "option-unknown"
    """``options`` are unknown, so Asterisk drops the object, unless it is newer than geofence."""
    OPTION_BY_VERSION = "option-by-version"
    """``options`` are known to new versions of Asterisk; older ones drop the object."""
    OBJECT_DUPLICATE = "object-duplicate"
    """``name`` is there twice, so Asterisk loads no object of this ``type`` from the file."""
    OPTION_MISSING = "option-missing"
    """The object is dropped for lack of ``option``."""
    VALUE_INVALID = "value-invalid"
    """The ``value`` of ``option`` is not valid; Asterisk drops the object or the line."""
    SPACE_AFTER_COMMA = "space-after-comma"
    """A space after the comma in ``option`` makes Asterisk drop the object."""
    BOUND_TWICE = "bound-twice"
    """``bind`` is taken by ``other``; Asterisk refuses this one."""
    NO_SIP_TRANSPORT = "no-sip-transport"
    FORWARDED_PORT = "forwarded-port"
    """Others reach ``port`` through a forward; this host listens on ``listens``."""
    KEY_TWICE = "key-twice"
    """``option`` has several ``values``: Asterisk up to 22 takes the first, 23 the last."""
    RANGE_INVALID = "range-invalid"
    """``first``-``last`` is no range, so Asterisk uses its default."""
    NO_CERTIFICATE = "no-certificate"
    """HTTPS is enabled without ``tlscertfile``, so Asterisk does not start it."""
    HTTP_WITHOUT_ADDRESS = "http-without-address"
    """HTTP is enabled without ``bindaddr``, so Asterisk does not start it."""
    MODULE_NOT_LOADED = "module-not-loaded"
    """``modules.conf`` does not load ``module``, so the file does not count."""

    # trunks
    TRUNK_IS_EVERYBODY = "trunk-is-everybody"
    """``host`` is the whole Internet; it is no exception."""
    TRUNK_IS_THIS_HOST = "trunk-is-this-host"
    """``host`` is loopback or an address of this host; it is no exception."""
    TRUNK_IS_PRIVATE = "trunk-is-private"
    """``host`` is in private space, and needs an exception all the same."""
    TRUNKS_IN_DATABASE = "trunks-in-database"
    """There may be more trunks in the database."""
    MEDIA_ELSEWHERE = "media-elsewhere"
    """A carrier with ``number`` prefixes may send media from other addresses."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, in one protocol."""

    protocol: Protocol
    port: int
    families: frozenset[int]
    """4, 6 or both: ``[::]`` is IPv6 alone for SIP, and both for HTTP and IAX."""
    bind: str
    """The address, as the configuration writes it, without port and brackets."""
    use: Use
    source: str
    """File and section for people: ``pjsip.conf [udp]``."""
    exposed: bool = True
    """Whether other hosts can reach it; False on loopback."""
    certain: bool = True
    """False where Asterisk may have refused the object, for instance by an option that this reader
    does not know and a newer version may."""


@dataclass(frozen=True, slots=True)
class PortRange:
    """A range of UDP ports that carries media."""

    first: int
    last: int
    """The ports that Asterisk may use, in any version: RTCP's port above an even end included."""
    source: str
    families: frozenset[int] = frozenset({4, 6})
    declared: tuple[int, int] | None = None
    """As written; None where nothing is, and Asterisk's own default counts."""
    declared_from_23: tuple[int, int] | None = None
    """What counts from Asterisk 23 on, where that differs from the versions before."""
    needed: bool = True
    """False for fax ports that no endpoint uses."""

    @property
    def ports(self) -> Ports:
        """The same as ports of a service."""
        return Ports(Protocol.UDP, self.first, self.last)


@dataclass(frozen=True, slots=True)
class Trunk:
    """A host that the configuration names as a peer, and that has to get in."""

    host: str
    """Name, address or prefix."""
    kind: HostKind
    sources: tuple[str, ...]
    """Objects and options that name it: ``identify north``, ``aor north contact``."""
    port: int | None = None
    """None: any, or the default one."""
    srv: bool = False
    """Whether Asterisk asks for SRV records of the name first."""
    left_out: tuple[str, ...] = ()
    """Prefixes within it that are excluded (``!10.1.0.0/16``)."""
    use: Use = Use.SIP


@dataclass(frozen=True, slots=True)
class Server:
    """A STUN or TURN server, whose answers are expected."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ReadingWarning:
    """Something in the configuration that the operator should know of; sentences are elsewhere."""

    kind: WarningKind
    where: str
    """File and section."""
    data: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """All of it. What could not be seen is named, never guessed."""

    listeners: tuple[Listener, ...] = ()
    rtp: PortRange | None = None
    """None where Asterisk has no RTP (its configuration is not known, or the file is refused)."""
    rtp_more: tuple[PortRange, ...] = ()
    """Ranges that endpoints have for themselves."""
    udptl: PortRange | None = None
    trunks: tuple[Trunk, ...] = ()
    local_nets: tuple[str, ...] = ()
    """Prefixes, host bits zero."""
    external: tuple[str, ...] = ()
    """Addresses or names by which others see this host."""
    stun: tuple[Server, ...] = ()
    turn: tuple[Server, ...] = ()
    unseen: tuple[ReadingWarning, ...] = ()
    """What exists, or may, and cannot be seen in files: a database, ``#exec``, placeholders."""
    warnings: tuple[ReadingWarning, ...] = ()
    invalid: tuple[str, ...] = ()
    """Files that Asterisk refuses whole, so that it keeps, or lacks, what they define."""
    files: tuple[str, ...] = ()
    """All files that were read, which following watches; relative to the configuration."""
