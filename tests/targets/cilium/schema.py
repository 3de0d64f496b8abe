"""Strict schemas of Cilium's kinds, as far as geofence uses them: written from its documentation.

Fields that geofence never writes are left out, so that a new one is noticed here.
"""

from __future__ import annotations

from geofence.targets.objects import Json

_STRING: Json = {"type": "string"}
_PORT: Json = {"type": "integer", "minimum": 0, "maximum": 65_535}


def _object(fields: dict[str, Json], *required: str) -> Json:
    return {"type": "object", "properties": fields, "required": list(required)}


def _list(items: Json, most: int | None = None) -> Json:
    return {"type": "array", "items": items, **({"maxItems": most} if most else {})}


_LABELS: Json = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}}
_EXPRESSION = _object(
    {
        "key": _STRING,
        "operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
        "values": _list(_STRING),
    },
    "key",
    "operator",
)
_SELECTOR = _object({"matchLabels": _LABELS, "matchExpressions": _list(_EXPRESSION)})
_PORT_PROTOCOL = _object(
    {
        "port": {"type": "string", "pattern": "^(6553[0-5]|[1-5]?[0-9]{1,4})$"},
        "endPort": _PORT,
        "protocol": {"enum": ["TCP", "UDP", "SCTP", "ANY"]},
    },
    "port",
)
_ICMP_FIELD = _object(
    {
        "family": {"enum": ["IPv4", "IPv6"]},
        "type": {"type": "integer", "minimum": 0, "maximum": 255},
    },
    "type",
)
_FROM: dict[str, Json] = {
    "fromCIDRSet": _list(_object({"cidrGroupSelector": _SELECTOR}, "cidrGroupSelector")),
    "fromEntities": _list({"enum": ["all", "world", "cluster", "host", "remote-node", "none"]}),
    "toPorts": _list(_object({"ports": _list(_PORT_PROTOCOL, 40)})),
    "icmps": _list(_object({"fields": _list(_ICMP_FIELD, 40)})),
}
_DEFAULT_DENY = _object({"ingress": {"type": "boolean"}, "egress": {"type": "boolean"}})
_RULES: dict[str, Json] = {
    "enableDefaultDeny": _DEFAULT_DENY,
    "ingress": _list(_object(_FROM)),
    "ingressDeny": _list(_object(_FROM)),
}


def _kind(version: str, kind: str, spec: Json) -> Json:
    return _object(
        {
            "apiVersion": {"const": version},
            "kind": {"const": kind},
            "metadata": {"type": "object"},
            "spec": spec,
        },
        "apiVersion",
        "kind",
        "metadata",
        "spec",
    )


SCHEMAS: dict[str, Json] = {
    "CiliumCIDRGroup": _kind(
        "cilium.io/v2",
        "CiliumCIDRGroup",
        _object({"externalCIDRs": _list(_STRING)}, "externalCIDRs"),
    ),
    "CiliumNetworkPolicy": _kind(
        "cilium.io/v2",
        "CiliumNetworkPolicy",
        _object({"endpointSelector": _SELECTOR, **_RULES}, "endpointSelector"),
    ),
    "CiliumClusterwideNetworkPolicy": _kind(
        "cilium.io/v2",
        "CiliumClusterwideNetworkPolicy",
        _object({"nodeSelector": _SELECTOR, **_RULES}, "nodeSelector"),
    ),
}
