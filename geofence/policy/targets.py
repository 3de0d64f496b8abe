"""The tables ``[target.NAME]``: clusters that are fenced beside the local kernel."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from geofence.model.target import Labels, Target, TargetKind, as_labels
from geofence.policy.mistakes import Mistake
from geofence.policy.recipients import file_path
from geofence.policy.references import service_name
from geofence.policy.table_reader import Section, choice
from geofence.spelling import one_of, quoted
from geofence.translation import tr

LONGEST_TARGET_NAME = 24
"""Characters; names of objects begin with it."""
_LABEL_PART = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABEL = rf"([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_LABEL_PART}=({_LABEL_PART})?"
"""As Kubernetes has labels: a prefix with a slash, a name, and a value that may be empty."""


def read_targets(sections: Mapping[str, Section], services: Collection[str]) -> tuple[Target, ...]:
    """Return the targets; complain about what is wrong.

    Args:
        sections: their tables, by name.
        services: names of all services.
    """
    found = tuple(_target(name, section, services) for name, section in sections.items())
    for at, target in enumerate(found):
        _complain(target, sections[target.name])
        _complain_of_shared_pods(target, found[:at], sections[target.name])
    return found


def _complain_of_shared_pods(target: Target, others: Collection[Target], section: Section) -> None:
    """Complain of pods of two targets: what one leaves alone it opens, the other's ports, too."""
    for other in others:
        if target.may_share_pods(other):
            section.complain(
                Mistake(
                    tr("selects pods that [target.{name}] may select, too", name=other.name),
                    tr(
                        "one target for them, or a label with another value: policies add up, and "
                        "each opens all ports that it does not fence"
                    ),
                ),
                "pods",
            )


def _target(name: str, section: Section, services: Collection[str]) -> Target:
    return Target(
        name,
        section.value("kind", choice(TargetKind), None) or TargetKind.NETWORKPOLICY,
        section.value("namespace", namespace, None) or "",
        _labels(section, "pods"),
        _labels(section, "nodes"),
        section.values("services", service_name(services)) or (),
        section.value("kubeconfig", file_path, None) or "",
        section.value("context", context, None) or "",
        section.flag("login_program", default=False),
    )


def _labels(section: Section, key: str) -> Labels:
    found = section.values(key, label) or ()
    pairs = [(name, value) for name, _, value in (each.partition("=") for each in found)]
    if len({name for name, _ in pairs}) < len(pairs):
        mistake = Mistake(tr("has two values for one label"), tr("each label only once"))
        section.complain(mistake, key)
    return as_labels(dict(pairs))


def _complain(target: Target, section: Section) -> None:
    if target.name.endswith("-"):
        section.complain(
            Mistake(
                tr("{name} cannot begin names of objects", name=quoted(target.name)),
                tr("a name that ends with a letter or digit"),
            )
        )
    if not section.gives("kind"):
        section.complain(Mistake(tr("has no kind"), one_of(TargetKind)))
    if not section.gives("pods", "nodes"):
        section.complain(
            Mistake(tr("selects nothing"), tr('pods or nodes with labels such as ["app=asterisk"]'))
        )
    if section.gives("pods") and not section.gives("namespace"):
        section.complain(
            Mistake(tr("has pods, but no namespace"), tr("the namespace of the pods")), "pods"
        )
    if target.nodes and target.kind is TargetKind.NETWORKPOLICY:
        section.complain(
            Mistake(
                tr("networkpolicy cannot fence nodes"),
                tr('kind = "calico" or "cilium", or geofence itself on the nodes'),
            ),
            "nodes",
        )
    if "services" in section and not section.gives("services"):
        section.complain(
            Mistake(tr("contains no service"), tr("services; without the key it fences all")),
            "services",
        )
    if target.context and not target.kubeconfig:
        section.complain(
            Mistake(tr("has a context, but no kubeconfig"), tr("the kubeconfig that has it")),
            "context",
        )


def namespace(text: str) -> str:
    """Read the name of a namespace.

    Raises:
        Mistake: Kubernetes has none of that name.
    """
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        return text
    raise Mistake(
        tr("{value} is not the name of a namespace", value=quoted(text)),
        tr("up to 63 letters, digits or hyphens, all lower case"),
    )


def label(text: str) -> str:
    """Read a label with its value.

    Raises:
        Mistake: Kubernetes has no such label.
    """
    if re.fullmatch(_LABEL, text):
        return text
    raise Mistake(
        tr("{value} is not a label with a value", value=quoted(text)),
        tr('a label such as "app=asterisk"'),
    )


def context(text: str) -> str:
    """Read the name of a context in a kubeconfig.

    Raises:
        Mistake: it is empty, or has characters that cannot be shown.
    """
    if re.fullmatch(r"[^\x00-\x1f\x7f]{1,253}", text):
        return text
    raise Mistake(
        tr("{value} is not the name of a context", value=quoted(text)),
        tr("a name that 'kubectl config get-contexts' shows"),
    )
