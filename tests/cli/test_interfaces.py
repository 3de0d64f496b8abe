"""Interfaces whose names are odd, and nonetheless the kernel's."""

from __future__ import annotations

import pytest

from tests.cli.machine import Machine

ODD = ["br@1", "eth#0", "wan(1)", "vpn!x", "!x", "büro0", "a=b,c", "x~^{}[]$&;", "a|b<c>", "日本"]


def test_interfaces_with_odd_names_are_trusted(fresh: Machine) -> None:
    for number, name in enumerate(ODD):
        fresh.tool("ip", "link", "add", name, "type", "veth", "peer", "name", f"peer{number}")
    names = ", ".join(f'"{name}"' for name in (*ODD, "tun#*"))
    fresh.rule("60-odd.toml", f'[local]\ninterfaces = ["lo", {names}]\n')

    fresh.ok("refresh")

    status = fresh.ok("status", "--json").json
    assert status["drift"] == []
    assert fresh.ok("apply", "--json").json["changed"] is False
    listed = fresh.fence()
    for name in ODD:
        assert name in listed

    fresh.clear()
    closed = fresh.state / "closed"
    if fresh.backend == "nftables":
        fresh.tool("nft", "-f", str(closed / "nft"))
    else:
        for program in ("iptables", "ip6tables"):
            fresh.tool(f"{program}-restore", "--noflush", str(closed / program))
    listed = fresh.fence()
    for name in ODD:
        assert name in listed


@pytest.mark.parametrize(
    "name", ["a b", "a/b", "a:b", 'a\\"b', "a'b", "eth0+", "-x", "a*b", "büro-büro-büro"]
)
def test_names_that_no_interface_has_or_that_mean_more_are_refused(one: Machine, name: str) -> None:
    one.rule("60-odd.toml", f'[local]\ninterfaces = ["lo", "{name}"]\n')
    done = one.run("plan", "--offline")
    assert done.code == 2
    assert "is not an interface name" in done.err
