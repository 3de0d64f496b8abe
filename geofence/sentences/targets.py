"""Sentences about targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.model.notes import Note, NoteKind
from geofence.model.target import Gap
from geofence.translation import tr


def cannot(note: Note) -> str:
    """Return what the engine of a target cannot do."""
    names = note.data.get("names")
    listed = ", ".join(map(str, names)) if isinstance(names, list) else ""
    return _GAPS[Gap(str(note.data["what"]))](listed)


_GAPS: Mapping[Gap, Callable[[str], str]] = {
    Gap.LIVE_FLOWS: lambda _: tr(
        "A ban or a removed country ends no current connection; only new ones are blocked."
    ),
    Gap.OBSERVE: lambda names: tr(
        "Observed services are open, and nothing counts what would be blocked: {services}.",
        services=names,
    ),
    Gap.COUNTERS: lambda _: tr(
        "Blocked packets are neither counted, nor are their sources noted; 'geofence denied' shows "
        "none of them."
    ),
    Gap.SILENT_DROP: lambda _: tr(
        "Blocked packets may be answered with an error, so a scanner sees that something is there."
    ),
    Gap.ORDER: lambda _: tr(
        "Another NetworkPolicy for the same pods adds to what is open; geofence cannot overrule it."
    ),
    Gap.LOCAL_NETWORKS: lambda names: tr(
        "Local networks are not allowed, since objects have no interfaces: {networks}. Make them "
        "an exception if they must reach the pods.",
        networks=names,
    ),
    Gap.TRUSTED_INTERFACES: lambda names: tr(
        "Trusted interfaces do not exist there: {interfaces}.", interfaces=names
    ),
    Gap.HELPERS: lambda names: tr(
        "What conntrack helpers announce is not allowed by that: {services}.", services=names
    ),
    Gap.REPLIES_FROM: lambda names: tr(
        "Replies to what the pods asked pass from everybody, although replies_from says "
        '"exceptions": {services}.',
        services=names,
    ),
    Gap.ENDS: lambda _: tr(
        "Bans and exceptions for a time do not end by themselves; the next run after their end "
        "removes them."
    ),
    Gap.OWN_NODE: lambda _: tr("The node on which a pod runs always reaches it."),
    Gap.OTHER_PROTOCOLS: lambda _: tr(
        "Whether port 0 and protocols other than UDP, TCP and SCTP, such as ICMP, pass depends on "
        "the engine."
    ),
    Gap.PUBLIC_PORT: lambda _: tr(
        "The port of the pod counts, not the port of the node or the load balancer before it."
    ),
    Gap.CLUSTER_SOURCES: lambda _: tr(
        "Sources inside the cluster are known by what they are, not by address: fenced pods block "
        "them even if they are exceptions, and fenced nodes let them pass."
    ),
}


def _listed(note: Note, key: str) -> str:
    values = note.data.get(key)
    return ", ".join(map(str, values)) if isinstance(values, list) else ""


def _unread(note: Note) -> str:
    facts = {"target": note.subject, "reason": note.data["message"]}
    if note.data["generation"] is None:
        return tr(
            "The cluster of {target} could not be read, so the plan is against no fence: {reason}",
            **facts,
        )
    return tr(
        "The cluster of {target} could not be read, so the plan is against generation {number}: "
        "{reason}",
        number=note.data["generation"],
        **facts,
    )


TARGET_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.TARGET_CANNOT: cannot,
    NoteKind.TARGET_UNLISTED: lambda note: tr(
        "The role of geofence may not list {kinds} in the cluster of {target}: objects that it "
        "does not know by name stay unseen.",
        kinds=_listed(note, "kinds"),
        target=note.subject,
    ),
    NoteKind.TARGET_UNREAD: _unread,
    NoteKind.TARGET_CHANGED: lambda note: tr(
        "Another program changed the objects of {target} so that geofence cannot read them. "
        "'geofence apply --target {target}' repairs them.",
        target=note.subject,
    ),
    NoteKind.TARGET_NEVER_APPLIED: lambda note: tr(
        "Nothing has been applied to {target} yet. Run 'geofence refresh --target {target}'.",
        target=note.subject,
    ),
    NoteKind.TARGET_FOREIGN: lambda note: tr(
        "Another program made {objects}, with names or labels of geofence's. An apply would be "
        "refused.",
        objects=_listed(note, "objects"),
    ),
    NoteKind.TARGET_VERDICTS_DIFFER: lambda note: tr(
        "The cluster does not do what generation {number} says, for {ports}. Another program "
        "changed the objects; 'geofence apply --target {target}' repairs them.",
        number=note.data["generation"],
        ports=_listed(note, "ports"),
        target=note.subject,
    ),
}
