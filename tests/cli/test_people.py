"""Whom a plan cuts off, as the running Asterisk knows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.machine import Machine

SAID = Path(__file__).parents[1] / "asterisk" / "said"

_CONSOLE = """\
#!/bin/sh
case "$2" in
    "database show registrar") exec cat {said}/registrar.txt ;;
    "pjsip show contacts") exec cat {said}/contacts.txt ;;
    "core show channels concise") exec cat {said}/channels.txt ;;
esac
exit 1
"""


@pytest.fixture
def console(one: Machine) -> Path:
    """A console with two phones in Japan and a trunk abroad, who all talk."""
    path = one.directory / "console"
    path.write_text(_CONSOLE.format(said=SAID), encoding="utf-8")
    path.chmod(0o755)
    one.rule("40-console.toml", f'[asterisk]\ncli = "{path}"\n')
    return path


@pytest.mark.usefixtures("console")
def test_a_first_plan_names_who_would_be_cut_off(one: Machine) -> None:
    planned = one.ok("plan")
    assert (
        "Of 3 contacts at Asterisk, 1 would be blocked: south (45.9.30.5: sip, rtp)" in planned.out
    )
    assert "1 side of a call in progress is among them (it goes on without --cut): south" in (
        planned.out
    )
    facts = one.ok("plan", "--json").json["people"]
    assert facts["contact_facts"] == [
        {
            "name": "south",
            "endpoint": "south",
            "address": "45.9.30.5",
            "services": ["sip", "rtp"],
        }
    ]
    assert facts["channel_facts"] == [
        {
            "channel": "PJSIP/south-00000002",
            "endpoint": "south",
            "address": "45.9.30.5",
            "seconds": 0,
            "call": None,
        }
    ]
    assert (facts["contacts"], facts["channels"], facts["unread"]) == (3, 3, None)


@pytest.mark.usefixtures("console")
def test_only_those_are_named_whom_the_change_cuts_off(one: Machine) -> None:
    one.rule("60-south.toml", '[exception.south]\nprefixes = ["45.9.30.5"]\n')
    one.ok("refresh")
    assert one.ok("plan", "--json").json["people"] is None
    one.rule("60-south.toml", '[exception.south]\nprefixes = ["45.9.30.5"]\nservices = ["sip"]\n')
    [cut] = one.ok("plan", "--json").json["people"]["contact_facts"]
    assert (cut["name"], cut["services"]) == ("south", ["rtp"])
    one.rule("61-shut.toml", '[blocklist.phones]\nprefixes = ["133.1.2.0/24"]\n')
    one.rule("60-south.toml", '[exception.south]\nprefixes = ["45.9.30.5"]\n')
    facts = one.ok("plan", "--json").json["people"]
    assert [each["name"] for each in facts["contact_facts"]] == ["2001", "2002"]
    assert [each["call"] for each in facts["channel_facts"]] == [
        "b435ac3f-0302-44bb-91ef-731dec0b861f"
    ] * 2


def test_an_asterisk_that_does_not_answer_is_told(one: Machine, console: Path) -> None:
    console.write_text("#!/bin/sh\necho Unable to connect to remote asterisk\nexit 1\n")
    planned = one.ok("plan")
    assert "Registered phones and calls are not known: " in planned.err
    assert "Unable to connect to remote asterisk" in planned.err
    assert "Unable" in one.ok("plan", "--json").json["people"]["unread"]


def test_names_from_asterisk_do_not_reach_the_terminal_as_they_are(
    one: Machine, console: Path
) -> None:
    edit = "s/contact.2001/contact\\/a\\x1b[2J/;s/133.1.2.3/45.9.30.9/g"
    script = console.read_text("utf-8").replace(
        f"exec cat {SAID}/registrar.txt", f"exec sed '{edit}' {SAID}/registrar.txt"
    )
    console.write_text(script, encoding="utf-8")
    said = one.ok("plan").out
    assert "a\\x1b[2J (45.9.30.9" in said
    assert "\x1b[2J" not in said
