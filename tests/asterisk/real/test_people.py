"""A plan names the phones and calls of a running Asterisk that it would cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.asterisk.real.asterisk import missing
from tests.asterisk.real.scene import (
    OTHER_PHONE,
    PHONE,
    SOUTH,
    call,
    is_registered,
    scene,
)
from tests.sipstack.peers import until

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "an Asterisk")


def test_phones_trunks_and_calls_are_named(tmp_path: Path) -> None:
    with scene(tmp_path, "nftables") as office:
        one, two = office.phone(PHONE, "2001"), office.phone(OTHER_PHONE, "2002")
        until(lambda: is_registered(one) and is_registered(two))
        call(one, two, "2002", registered=True)
        call(office.agent(SOUTH), None, "5550002")
        (programs := tmp_path / "programs").mkdir()
        console = office.asterisk.command(programs)
        office.geofence.rule("40-console.toml", f'[asterisk]\ncli = "{console}"\n')
        office.geofence.rule("60-phone.toml", f'[blocklist.one]\nprefixes = ["{PHONE}"]\n')
        facts = office.geofence.ok("plan", "--json").json["people"]
    assert (facts["contacts"], facts["channels"]) == (3, 3)
    blocked = {each["name"]: each["address"] for each in facts["contact_facts"]}
    assert blocked == {"2001": PHONE, "south": SOUTH}
    sides = {each["endpoint"]: each["call"] is None for each in facts["channel_facts"]}
    assert sides == {"2001": False, "south": True}
