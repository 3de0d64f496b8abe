"""Objects of clusters against ``geofence.verdict``, on lists of any size.

``python -m tests.targets.agreement DIRECTORY`` takes real lists: a file DIRECTORY/jp/*.txt has the
prefixes of a country, one a line. It takes minutes; the suite does the same with small lists.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from geofence.merge import merge
from geofence.model.policy import Blocklist, NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.model.ruleset import Action, Ruleset
from geofence.model.target import Target, TargetKind
from geofence.targets.fence import ClusterFence, cluster_fence, with_runtime
from geofence.targets.interface import Judge
from geofence.targets.prefixes import parse_prefix
from geofence.targets.registry import load
from geofence.verdict import Packet, decide
from tests.support.values import country, policy, prefix, space
from tests.targets.labelled import edges, packets, random_packets, sides_of, target

TARGETS = (
    target(TargetKind.NETWORKPOLICY),
    *sides_of(TargetKind.CALICO),
    *sides_of(TargetKind.CILIUM),
)
"""One of each engine and side."""
BANS = (prefix("1.0.16.77/32"), prefix("203.0.113.128/25"), prefix("2001:db8:bad::/48"))


def rules(*codes: str) -> Policy:
    """Rules with all that a cluster can be told: exceptions of one service, and a blocklist."""
    exceptions = (
        NamedException("push", prefixes=space("203.0.113.200/32", "2001:db8:bad:1::/64")),
        NamedException("trunk", prefixes=space("198.51.100.0/24"), services=("sip",)),
    )
    blocklists = (Blocklist("bad", prefixes=space("1.0.32.0/20", "198.51.100.128/25")),)
    return policy(countries=codes, exceptions=exceptions, blocklists=blocklists, local=space())


def ruleset_of(chosen: Policy, lists: Mapping[str, AddressSpace]) -> Ruleset:
    """The ruleset of rules and lists, with some bans."""
    named = {country(code): found for code, found in lists.items()}
    return with_runtime(replace(merge(chosen, named), interfaces=()), BANS, {})


def disagreements(
    ruleset: Ruleset, target: Target, asked: Iterable[Packet]
) -> Iterator[tuple[Packet, bool]]:
    """Yield the packets that the objects decide otherwise, and whether they let them pass."""
    judge = judge_of(cluster_fence(ruleset, target), target)
    for packet in asked:
        passes = judge(packet)
        if passes is not (decide(ruleset, packet).action is Action.PASS):
            yield packet, passes


def judge_of(fence: ClusterFence, target: Target) -> Judge:
    """The judge of the objects of a fence."""
    engine = load(target.kind)
    return engine.judge(engine.objects(fence, target), target)


def asked_of(ruleset: Ruleset, number: int) -> Iterator[Packet]:
    """Yield packets from both sides of every edge to some ports, and random ones."""
    fence = cluster_fence(ruleset, sides_of(TargetKind.CALICO)[0])
    known = edges([fence])
    yield from packets(known, (5060, 10000, 22))
    yield from random_packets(known, number, seed=14)


def real_list(directory: Path) -> AddressSpace:
    """The prefixes of a directory's files."""
    texts = (
        line
        for path in sorted(directory.glob("*.txt"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line and not line.startswith("#")
    )
    return AddressSpace.of([parse_prefix(text) for text in texts])


def main() -> None:
    """Print for each engine, and for pods and nodes, how many packets were decided otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--country", default="jp")
    parser.add_argument("--packets", type=int, default=100_000)
    options = parser.parse_args()
    code = options.country.upper()
    lists = {code: real_list(options.directory / options.country)}
    ruleset = ruleset_of(rules(code), lists)
    asked = list(asked_of(ruleset, options.packets))
    for chosen in TARGETS:
        began = perf_counter()
        differing = sum(1 for _ in disagreements(ruleset, chosen, asked))
        side, took = "pods" if chosen.pods else "nodes", perf_counter() - began
        print(f"{chosen.kind} {side}: {len(asked)} packets, {differing} otherwise, {took:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
