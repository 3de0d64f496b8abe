"""The catalogue: which entry has a host or an address, and which hosts only look like one of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.allowed.catalog import Carries, carries, command, entries, holding, match
from geofence.model.catalog import CatalogFacts, EntryKind, Media
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.policy import load_policy
from geofence.policy.naming import addresses
from tests.support.values import space

RULES = Path(__file__).parents[2] / "rules.d"


@pytest.fixture(scope="module")
def shipped() -> Policy:
    return load_policy([RULES])


def provider(name: str, *trunk_hosts: str, group: str | None = None) -> NamedException:
    """An entry that is recognised by some names."""
    facts = CatalogFacts(EntryKind.TRUNK, trunk_hosts=trunk_hosts)
    return NamedException(name, prefixes=space("192.0.2.0/24"), group=group, catalog=facts)


def matched(policy: Policy, host: str) -> list[str]:
    return [each.name for each in match(host, policy.exceptions)]


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("me.pstn.twilio.com", ["twilio-sip", "twilio-media"]),
        ("ME.PSTN.Twilio.com.", ["twilio-sip", "twilio-media"]),
        ("a.b.pstn.twilio.com", ["twilio-sip", "twilio-media"]),
        ("sip.telnyx.com", ["telnyx-sip", "telnyx-media"]),
        ("us-west-wa.sip.flowroute.com", ["flowroute-sip"]),
        ("montreal10.voip.ms", ["voipms-montreal"]),
        ("push-as.softphone.com", ["push-as"]),
        ("all.sipis.acrobits.cz", ["sipis"]),
        ("softphone.spc.brastel.ne.jp", ["brastel"]),
    ],
)
def test_a_known_host_gives_its_entry_and_the_media_that_belong_to_it(
    shipped: Policy, host: str, names: list[str]
) -> None:
    assert matched(shipped, host) == names


@pytest.mark.parametrize(
    "host",
    [
        "pstn.twilio.com",
        "twilio.com",
        "evilpstn.twilio.com",
        "me.pstn.twilio.com.evil.example",
        "pstn.twilio.com.example",
        "me.pstn-twilio.com",
        "xsip.telnyx.com",
        "sip.telnyx.com.example",
        "evil.sip.telnyx.com",
        "sip.telnyx.co",
        ".pstn.twilio.com",
        "..pstn.twilio.com",
        "*.pstn.twilio.com",
        "me@evil.example/.pstn.twilio.com",
        "me.pstn.twilio.com:5060",
        "me.pstn.twilio.com\0.evil.example",
        "me.pstn.twilio.com\n",
        "me.pstn.twilio.com..",
        "voip.46el\N{KELVIN SIGN}s.com",
        "me\N{IDEOGRAPHIC FULL STOP}pstn.twilio.com",
        "54.172.60.1",
        "*",
        "",
    ],
)
def test_a_host_that_only_looks_like_one_gives_none(shipped: Policy, host: str) -> None:
    assert matched(shipped, host) == []


@given(st.text(max_size=30), st.sampled_from(["", ".", "-", "x", "\0", "/", "@", "..", "*."]))
def test_only_labels_below_a_pattern_match_it(before: str, between: str) -> None:
    host = f"{before}{between}pstn.provider.example"
    found = match(host, [provider("a", "*.pstn.provider.example")])
    labels = host.rstrip(".").lower().split(".")
    assert bool(found) <= (labels[-3:] == ["pstn", "provider", "example"] and len(labels) > 3)
    assert bool(found) <= host.isascii()


@given(st.text(min_size=1, max_size=30))
def test_nothing_after_a_known_name_matches_it(after: str) -> None:
    known = [provider("a", "sip.provider.example", "*.pstn.provider.example")]
    for host in ("sip.provider.example", "x.pstn.provider.example"):
        assert match(host, known)
        assert bool(match(host + after, known)) <= (after == ".")


def test_an_exception_of_the_operator_is_not_an_entry() -> None:
    own = NamedException("trunk", hosts=("sip.provider.example",))
    assert entries([own]) == match("sip.provider.example", [own]) == ()


def test_srv_records_are_recognised_by_their_domain() -> None:
    facts = CatalogFacts(EntryKind.TRUNK)
    entry = NamedException("a", srv=("_sips._tcp.provider.example",), catalog=facts)
    assert match("provider.example", [entry]) == (entry,)
    assert match("_sips._tcp.provider.example", [entry]) == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("54.172.60.1", ["twilio-sip"]),
        ("54.172.60.4", []),
        ("54.172.60.0/30", ["twilio-sip"]),
        ("54.172.60.0/29", []),
        ("168.86.140.1", ["twilio-media"]),
        ("64.16.246.100", ["telnyx-media"]),
        ("192.76.120.14", ["telnyx-sip"]),
        ("216.93.246.120", ["push", "push-ue"]),
        ("2001:db8::1", []),
    ],
)
def test_an_address_gives_the_entries_that_have_it(
    shipped: Policy, text: str, names: list[str]
) -> None:
    assert [each.name for each in holding(addresses(text), shipped.exceptions)] == names


def test_no_address_gives_no_entry(shipped: Policy) -> None:
    assert holding(AddressSpace(), shipped.exceptions) == ()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("twilio-sip", "geofence allow twilio"),
        ("twilio-media", "geofence allow twilio"),
        ("telnyx-other-regions", "geofence allow telnyx-other-regions"),
        ("voipms-paris", "geofence allow voipms-paris"),
        ("push-as", "geofence allow push-as"),
        ("anveo", "geofence allow anveo"),
    ],
)
def test_the_command_allows_signalling_with_its_media_and_else_one(
    shipped: Policy, name: str, line: str
) -> None:
    (entry,) = (each for each in shipped.exceptions if each.name == name)
    assert command(entry, shipped.exceptions) == line


def test_what_an_entry_carries() -> None:
    def entry(name: str, media: Media | None, group: str | None = "x") -> NamedException:
        return NamedException(name, group=group, catalog=CatalogFacts(EntryKind.TRUNK, media=media))

    listed, media = entry("a", Media.LISTED), entry("b", None)
    assert carries(listed, [listed, media]) is Carries.SIGNALLING
    assert carries(media, [listed, media]) is Carries.MEDIA
    assert carries(entry("c", Media.SAME), []) is Carries.BOTH
    assert carries(entry("d", Media.UNPUBLISHED), []) is Carries.SIGNALLING
    assert carries(entry("e", None), [entry("f", Media.UNPUBLISHED)]) is None
    assert carries(entry("g", None, group=None), [entry("h", Media.LISTED, group=None)]) is None
