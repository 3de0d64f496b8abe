"""Findings: what a check found, as facts; ``geofence.sentences.doctor`` has the sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """What a finding means for the exit code."""

    WRONG = "wrong"
    """Something does not work, or is not as safe as it looks."""
    NOTICE = "notice"
    """Worth a look; it may be meant so."""


class FindingKind(StrEnum):
    """What a check found. Values are stable: scripts read them, and docs have a section of each."""

    # the fence itself
    NO_FENCE = "no-fence"
    """Packets of ``families`` enter no fence; ``other`` tells whether the other family has one."""
    FENCE_DIFFERS = "fence-differs"
    """``differences`` of the kernel from what was applied."""
    RULES_BROKEN = "rules-broken"
    """The rules do not load: ``message``."""
    RULES_NOT_APPLIED = "rules-not-applied"
    OBSERVED_ONLY = "observed-only"
    """Nothing is dropped for ``services``."""
    SHIELD_OFF = "shield-off"
    """The rules ask for the shield, and it is off: ``reasons``; ``kept``: its process runs."""
    EXCEPTION_INACTIVE = "exception-inactive"
    """The exception ``subject`` is enabled and not active: ``obstacle``, ``hosts``."""

    # house-keeping
    LIST_STALE = "list-stale"
    """``subject`` was last confirmed on ``checked_on``, more than ``days`` days ago."""
    LIST_MISSING = "list-missing"
    """``subject`` has not been downloaded yet."""
    CLOCK_WRONG = "clock-wrong"
    """The clock is ``behind`` what is stored: ``seconds`` before ``stored``."""
    CLOCK_UNSYNCHRONISED = "clock-unsynchronised"
    BOOT_UNIT_MISSING = "boot-unit-missing"
    """Nothing restores the fence at boot; ``masked`` if the unit cannot be enabled."""
    NO_RENEWAL = "no-renewal"
    """No timer, daemon or cron file downloads the lists."""
    RUN_FAILED = "run-failed"
    """The run ``subject`` ended as ``ending`` at ``at``: ``message``."""

    # rules of other programs
    UNTRACKED = "untracked"
    """``place`` keeps ``ports`` of ``subject`` out of connection tracking, in ``direction``."""
    REDIRECTED = "redirected"
    """``place`` delivers ``named`` to ``target``, which is fenced as ``subject``."""
    DROPPED_BY_OTHERS = "dropped-by-others"
    """``place`` drops packets to ``ports`` of ``subject``; ``conditional``: all but some."""
    POLICY_DROPS = "policy-drops"
    """The policy of ``place`` drops ``ports`` of ``subject``, which no rule opens."""
    ACCEPTED_EARLIER = "accepted-earlier"
    """``place`` accepts packets to ``ports`` of ``subject`` before the fence sees them."""
    BOTH_FLAVOURS = "both-flavours"
    """Rules are in ``legacy`` and in ``nft`` tables of iptables."""
    FLUSHED_BY_OTHERS = "flushed-by-others"
    """``message`` names programs that flush iptables, and ipset holds the fence."""
    SIP_HELPER = "sip-helper"
    """A conntrack helper for SIP: ``how`` is ``rule``, ``automatic`` or ``loaded``, ``places``."""
    PUBLISHED_NOT_FENCED = "published-not-fenced"
    """``subject`` is delivered to ``target`` of the container ``address``; neither is fenced."""
    DOCKER_HIDES_SOURCES = "docker-hides-sources"
    """Docker's proxy takes connections to ``subject``, so the container sees one address."""
    NODES_TRUSTED = "nodes-trusted"
    """This host is a Kubernetes node (``interfaces`` of pods), and trusts the network ``subject``,
    from which other nodes forward strangers' packets; ``delivered``: fenced ports that are so."""
    HIDDEN_SOURCES = "hidden-sources"
    """``flows`` of ``of`` connections come from the private address ``subject``."""

    # ports
    BOUND_NOT_FENCED = "bound-not-fenced"
    """``process`` listens on ``subject`` (``source``: a file and section), and nothing fences it;
    ``bound`` tells whether it does now."""
    FENCED_NOT_BOUND = "fenced-not-bound"
    """``service`` fences ``subject``, where nothing listens."""
    PROTOCOLS_MIXED_UP = "protocols-mixed-up"
    """As before; the rules fence ``fenced`` instead, where nothing listens."""

    # media
    RTP_NOT_FENCED = "rtp-not-fenced"
    """The PBX uses ``ports`` for media (``source``), of which ``subject`` are not fenced."""
    RTP_TOO_WIDE = "rtp-too-wide"
    """``service`` fences ``subject``, of which the PBX uses only ``ports`` for media."""
    RTCP_NOT_FENCED = "rtcp-not-fenced"
    """RTCP uses ``subject``, one above the even end of ``ports``."""
    RTP_PORT_HELD = "rtp-port-held"
    """``process`` holds ``held`` ports of the PBX's media range, ``subject`` the first."""
    MEDIA_BLOCKED = "media-blocked"
    """The fence drops what looks like media: ``packets`` packets of ``subject`` to ``service``."""
    CODEC_NOT_TRANSLATABLE = "codec-not-translatable"
    """``one`` and ``other`` share no codec, and no module translates ``codecs``."""

    # NAT
    EXTERNAL_NOT_OURS = "external-not-ours"
    """``external_*`` is ``subject``; others see this host as ``addresses``, says ``asked`` (a STUN
    server; empty: its interfaces)."""
    EXTERNAL_PRIVATE = "external-private"
    """``external_*`` is ``subject``, which others cannot reach."""
    EXTERNAL_MISSING = "external-missing"
    """This host has only private ``addresses``, and ``external_*`` is not set."""
    LOCAL_NET_MISSING = "local-net-missing"
    """``subject`` is connected at ``interface`` and not in ``local_net`` (``known``)."""

    # trunks and phones
    TRUNK_BLOCKED = "trunk-blocked"
    """``addresses`` of the trunk ``subject`` may not reach ``services``."""
    TRUNK_UNKNOWN = "trunk-unknown"
    """No rule names the trunk ``subject``, whose addresses are not known."""
    TRUNK_MEDIA_BLOCKED = "trunk-media-blocked"
    """``addresses`` of the trunk ``subject`` may signal, and may not send media to ``services``."""
    PROVIDER_MEDIA_BLOCKED = "provider-media-blocked"
    """``provider`` of the trunk ``subject`` sends media from ``addresses``, which are blocked."""
    UNNAMED_PEER = "unnamed-peer"
    """This host contacts ``subject`` from fenced ports, and no rule allows it."""
    CONTACT_BLOCKED = "contact-blocked"
    """The registered contact ``subject`` at ``address`` is blocked."""
    PUSH_SERVER_BLOCKED = "push-server-blocked"
    """The contact ``subject`` at ``address`` is a push server; ``exception`` allows it."""

    # the PBX's configuration
    CONFIGURATION_REFUSED = "configuration-refused"
    """Asterisk refuses the file ``subject``."""

    # fail2ban
    FAIL2BAN_IGNORES_EXCEPTIONS = "fail2ban-ignores-exceptions"
    """The jail ``subject`` bans without asking which addresses are exceptions."""
    FAIL2BAN_COUNTS_TWICE = "fail2ban-counts-twice"
    """The jail ``subject`` counts each attempt twice; ``why`` is ``both-streams`` (``files``) or
    ``same-line`` (``files``)."""

    # clusters; ``subject`` is the target
    CLUSTER_WITHOUT_FENCE = "cluster-without-fence"
    CLUSTER_DIFFERS = "cluster-differs"
    """``differences`` of the cluster from what was applied."""
    KIND_NOT_SERVED = "kind-not-served"
    """The API server serves none of ``kinds``."""
    NOT_ENFORCED = "not-enforced"
    """No engine of ``wanted`` runs, only ``engines``: objects of ``kind`` do nothing."""
    END_PORT_DROPPED = "end-port-dropped"
    """Servers of ``version`` cut ``ports`` to their first port; those from ``since`` on do not."""
    NOTHING_SELECTED = "nothing-selected"
    """No ``what`` (``pods`` in ``namespace``, or ``nodes``) has ``labels``."""
    HOST_NETWORK_PODS = "host-network-pods"
    """``pods`` use the network of their node, where policies for pods do not apply."""
    SERVICE_HIDES_SOURCES = "service-hides-sources"
    """``service`` of ``type`` leads to the pods with ``externalTrafficPolicy: Cluster``."""
    POLICY_REFUSED = "policy-refused"
    """The engine itself says that ``objects`` are not valid: they do nothing."""
    NODES_NOT_WATCHED = "nodes-not-watched"
    """An engine of ``kind`` does not look at what comes to ``nodes``: policies for them do
    nothing."""
    OTHER_POLICIES = "other-policies"
    """``policies`` of others select the same pods, and may open what is fenced."""


NOTICES = frozenset(
    {
        FindingKind.RULES_NOT_APPLIED,
        FindingKind.OBSERVED_ONLY,
        FindingKind.CLOCK_UNSYNCHRONISED,
        FindingKind.REDIRECTED,
        FindingKind.BOTH_FLAVOURS,
        FindingKind.DOCKER_HIDES_SOURCES,
        FindingKind.FENCED_NOT_BOUND,
        FindingKind.RTP_TOO_WIDE,
        FindingKind.MEDIA_BLOCKED,
        FindingKind.UNNAMED_PEER,
        FindingKind.TRUNK_UNKNOWN,
        FindingKind.OTHER_POLICIES,
    }
)
"""Kinds that may be meant so."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth a look."""

    kind: FindingKind
    subject: str = ""
    """What it is about: a service, a port, an address, a file; empty for the whole fence."""
    data: Mapping[str, object] = field(default_factory=dict)
    """Values by name, as JSON has them."""
    mild: bool = False
    """Whether it is only a notice although its kind is not."""

    @property
    def severity(self) -> Severity:
        """Whether something is wrong, or only worth a look."""
        return Severity.NOTICE if self.mild or self.kind in NOTICES else Severity.WRONG


class Subject(StrEnum):
    """What a group of checks looks at. The values are stable: scripts read them."""

    FENCE = "fence"
    OTHER_RULES = "other-rules"
    CONNECTIONS = "connections"
    STARTUP = "startup"
    CLOCK = "clock"
    SOCKETS = "sockets"
    ASTERISK = "asterisk"
    """Asterisk's configuration."""
    CONSOLE = "asterisk-console"
    """Registered contacts and modules, as the running Asterisk tells them."""
    ADDRESSES = "addresses"
    """This host's addresses, and the networks that it is connected to."""
    PUBLIC_ADDRESS = "public-address"
    FAIL2BAN = "fail2ban"
    CLUSTER = "cluster"
    """The cluster of a target."""


class WhyUnchecked(StrEnum):
    """Why something could not be checked. The values are stable: scripts read them."""

    NOT_ROOT = "not-root"
    NOT_THERE = "not-there"
    """What would be looked at is not on this host."""
    FAILED = "failed"
    """Reading it failed."""
    PARTLY = "partly"
    """Some of it could not be seen."""


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something that could not be checked: no finding there means nothing."""

    subject: Subject
    why: WhyUnchecked
    message: str = ""
    """Details for people: an error's own sentence, a path, a program."""
