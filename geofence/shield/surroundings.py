"""Rules of other programs that make the shield unsure, as nft and iptables print them. Pure.

Three kinds matter: conntrack zones, conntrack helpers, and rules that read or set the packets'
marks, of which the shield's audit needs a bit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

Json = Any
"""JSON of another program: every value that is taken from it is asked what it is."""

_OWN = ("geofence", "geofence-shield")
_ALL_BITS = 0xFFFFFFFF
_ZONE = re.compile(r"-j CT\b.* --zone")
_HELPER = re.compile(r"-j CT\b.* --helper (\S+)")
_MARK_MATCH = re.compile(r"-m mark .*?--mark (0x[0-9a-f]+)(?:/(0x[0-9a-f]+))?")
_MARK_SET = re.compile(r"--set-(?:x?mark|xmark) (0x[0-9a-f]+)(?:/(0x[0-9a-f]+))?")
_RESTORED = re.compile(r"-j CONNMARK .*--restore-mark(?: --nfmask (0x[0-9a-f]+))?")


class Surroundings(NamedTuple):
    """What rules of other programs do that matters; each as it is printed or called."""

    zones: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    overwriting: tuple[str, ...] = ()
    """Rules that set all bits of the mark on the way to the fence, ours too."""
    mark_bits: int = 0
    """Bits of the mark that others use."""

    def joined(self, other: Surroundings) -> Surroundings:
        """Return both together."""
        return Surroundings(
            (*self.zones, *other.zones),
            (*self.helpers, *other.helpers),
            (*self.overwriting, *other.overwriting),
            self.mark_bits | other.mark_bits,
        )


def from_iptables(text: str) -> Surroundings:
    """Return what rules do, by what ``iptables-save`` printed."""
    lines = [line for line in text.splitlines() if line.startswith("-A ")]
    others = [line for line in lines if not line.split()[1].startswith("GEOFENCE")]
    overwriting = [line for line in others if _overwrites(line) and " OUTPUT " not in f"{line} "]
    return Surroundings(
        tuple(line for line in others if _ZONE.search(line)),
        tuple(line for line in others if _HELPER.search(line)),
        tuple(overwriting),
        reduce(or_, (_bits(line) for line in others), 0),
    )


def _overwrites(line: str) -> bool:
    found = _MARK_SET.search(line) if "-j MARK" in line else None
    if found is not None:
        return int(found[2] or hex(_ALL_BITS), 16) == _ALL_BITS
    restored = _RESTORED.search(line)
    return restored is not None and int(restored[1] or hex(_ALL_BITS), 16) == _ALL_BITS


def _bits(line: str) -> int:
    """Return the bits that a rule asks for or sets."""
    used = 0
    for pattern in (_MARK_MATCH, _MARK_SET):
        for value, mask in pattern.findall(line):
            used |= _used(int(value, 16), int(mask, 16) if mask else _ALL_BITS)
    return used


def _used(value: int, mask: int) -> int:
    """Return the bits of a value under a mask; a whole mark is a number of few bits."""
    return value if mask == _ALL_BITS else value | mask


def from_nft(text: str) -> Surroundings:
    """Return what rules do, by what ``nft --json list ruleset`` printed.

    Rules of iptables-nft are not understood here: ``iptables-save`` tells them.
    """
    try:
        listed = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError):
        return Surroundings()
    found = Surroundings()
    outgoing: set[tuple[str, str]] = set()
    for kind, held in _items(listed):
        table = str(held.get("table"))
        if table in _OWN:
            continue
        if kind == "chain" and held.get("hook") in ("output", "postrouting"):
            outgoing.add((table, str(held.get("name"))))
        elif kind == "ct helper":
            found = found.joined(Surroundings(helpers=(f"{table} {held.get('name')}",)))
        elif kind == "rule":
            place = (table, str(held.get("chain")))
            found = found.joined(_of_rule(held.get("expr"), " ".join(place), place in outgoing))
    return found


def _items(listed: Json) -> Iterator[tuple[str, dict[str, Json]]]:
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict):
            yield from ((kind, held) for kind, held in entry.items() if isinstance(held, dict))


def _of_rule(statements: Json, place: str, is_outgoing: bool) -> Surroundings:
    found = Surroundings()
    for statement in statements if isinstance(statements, list) else ():
        if not isinstance(statement, dict):
            continue
        bits = _mark_bits(statement)
        mangle = statement.get("mangle")
        zones = helpers = overwriting = False
        if isinstance(mangle, dict):
            zones = _is_ct(mangle.get("key"), "zone")
            whole = _is_mark(mangle.get("key")) and not _mentions_mark(mangle.get("value"))
            overwriting = whole and not is_outgoing
        if "ct helper" in statement:
            helpers = True
        found = found.joined(
            Surroundings(
                (place,) if zones else (),
                (place,) if helpers else (),
                (place,) if overwriting else (),
                bits,
            )
        )
    return found


def _is_ct(key: Json, what: str) -> bool:
    tracked = key.get("ct") if isinstance(key, dict) else None
    return isinstance(tracked, dict) and tracked.get("key") == what


def _is_mark(key: Json) -> bool:
    meta = key.get("meta") if isinstance(key, dict) else None
    return isinstance(meta, dict) and meta.get("key") == "mark"


def _mentions_mark(value: Json) -> bool:
    return _is_mark(value) or any(_mentions_mark(each) for each in _children(value))


def _mark_bits(statement: Json) -> int:
    """Return the bits of all numbers in the statement, if it is about the mark."""
    if not _mentions_mark(statement):
        return 0
    numbers = (each & _ALL_BITS for each in _numbers(statement))
    # A mask of what is kept has nearly all bits; those that it clears are the ones in use.
    return reduce(or_, (_ALL_BITS & ~n if n.bit_count() > 16 else n for n in numbers), 0)  # noqa: PLR2004


def _numbers(value: Json) -> Iterator[int]:
    if isinstance(value, int) and not isinstance(value, bool):
        yield value
    for each in _children(value):
        yield from _numbers(each)


def _children(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
