"""A fingerprint of sets and rules: what the kernel says of them, hashed before it is decoded."""

from __future__ import annotations

import hashlib

from geofence.backends.ipset.iptables import all_tools
from geofence.backends.ipset.noting import own_sets
from geofence.backends.ipset.sets import KernelSets, SetHeader
from geofence.backends.ipset.shapes import Key, shape_of
from geofence.backends.prefilter_key import PrefilterKey
from geofence.model.sets import SetKind


def fingerprint() -> str:
    """Return a text that is another one once sets or rules of geofence's are others.

    Not of what packets change: counters, and the content of runtime sets. The entries of a set come
    in the same order until it is changed; another order would at most cost a look.

    Raises:
        BackendUnavailable: privilege, a program or kernel support is missing.
        BackendError: the kernel's answer could not be had or understood.
    """
    digest = hashlib.sha256()
    with KernelSets() as sets:
        for header, key in sorted(own_sets(sets), key=lambda each: each[0].name):
            digest.update(repr(header._replace(entries=0)).encode())
            digest.update(_content(sets, header, key))
    for tool in all_tools():
        digest.update(repr((tool, tool.save()._replace(counts={}, of_others=frozenset()))).encode())
    return digest.hexdigest()


def _content(sets: KernelSets, header: SetHeader, key: Key) -> bytes:
    if isinstance(key, PrefilterKey):
        return sets.packed(header.name) or b""
    if key.kind is SetKind.RUNTIME:
        return b""
    if shape_of(key).flags:  # an entry has counters
        return repr(sets.entries(header.name, key.family)).encode()
    return sets.packed(header.name) or b""
