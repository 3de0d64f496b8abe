"""What ``allow`` makes of the command line's file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.by_hand.allowing import allowing
from geofence.by_hand.request import Answer, Request, Situation
from geofence.errors import UsageError
from geofence.model.lists import ListId
from geofence.model.notes import NoteKind
from geofence.model.policy import CountrySwitch, NamedException
from geofence.model.prefixes import AddressSpace
from geofence.policy.files import RulesFile
from geofence.policy.owned import OWNED_FILE, Owned, Switch
from tests.policy.rules import policy_of
from tests.support.values import country, space

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SOON, LATER = NOW + timedelta(hours=1), NOW + timedelta(hours=8)
RULES = """
service.sip.ports = ["5060/udp"]
service.rtp.ports = ["10000/udp"]
allow.countries = ["JP"]
exception.push = { hosts = ["push.example"], enabled = false, group = "bria" }
exception.push-as = { hosts = ["push-as.example"], enabled = false, group = "bria" }
exception.trunk = { prefixes = ["192.0.2.0/28"] }
exception.off = { prefixes = ["192.0.2.64/28"], enabled = false }
"""
LISTS = {country("JP"): space("198.51.100.0/24")}


def situation(
    owned: Owned | None = None, lists: dict[ListId, AddressSpace] | None = None
) -> Situation:
    """The rules with a file of the command line, before any of it has ended."""
    owned = owned or Owned()
    others = RulesFile("/r/50.toml", RULES)
    policy = policy_of((others, RulesFile(f"/r/{OWNED_FILE}", owned.text())))
    return Situation(owned, policy.at(NOW), policy_of((others,)), LISTS if lists is None else lists)


def allow(*words: str, owned: Owned | None = None, **more: object) -> Answer:
    return allowing(situation(owned), Request(words, **more))  # type: ignore[arg-type]  # a test's shorthand


def kinds(answer: Answer) -> list[NoteKind]:
    return [note.kind for note in answer.notes]


def hotel(*prefixes: str, until: datetime | None = LATER, **more: object) -> Owned:
    """A file with one exception that ``allow`` made."""
    made = NamedException("hotel", prefixes=space(*prefixes), until=until, **more)  # type: ignore[arg-type]  # a test's shorthand
    return Owned(exceptions={"hotel": made})


def refusal(*words: str, owned: Owned | None = None, **more: Any) -> str:  # noqa: ANN401 - a test's shorthand
    with pytest.raises(UsageError) as caught:
        allow(*words, owned=owned, **more)
    return str(caught.value)


def test_an_address_becomes_an_exception_with_all_that_was_said() -> None:
    found = allow("203.0.113.7", name="hotel", services=("sip",), note="Sato", until=LATER)
    assert found.owned == hotel("203.0.113.7/32", services=("sip",), note="Sato")
    assert found.enabled == ("hotel",)
    [note] = found.notes
    assert (note.kind, note.subject) == (NoteKind.EXCEPTION_ALLOWED, "hotel")
    assert note.data == {
        "addresses": ["203.0.113.7"],
        "hosts": [],
        "services": ["sip"],
        "until": LATER.isoformat(),
        "made": True,
    }


def test_several_addresses_and_hosts_make_one_exception() -> None:
    found = allow("203.0.113.7", "2001:db8::/64", "phone.example.org", "push-as", name="hotel")
    [made] = found.owned.exceptions.values()
    assert (made.prefixes, made.hosts) == (
        space("203.0.113.7/32", "2001:db8::/64"),
        ("phone.example.org",),
    )
    assert found.owned.switches == {"push-as": Switch(True)}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("203.0.113.7",), "ip-203-0-113-7"),
        (("203.0.113.0/24",), "ip-203-0-113-0-24"),
        (("2001:db8::7",), "ip-2001-db8-7"),
        (("1111:2222:3333:4444:5555:6666:7777:8888",), "ip-1111-2222-3333-4444-5555-6666-7777-88"),
        (("Phone.Example.org", "203.0.113.7"), "phone-example-org"),
        (("7.phone.example",), "host-7-phone-example"),
        (("_sip.example",), "sip-example"),
    ],
)
def test_a_name_is_derived(words: tuple[str, ...], name: str) -> None:
    found = allow(*words)
    assert list(found.owned.exceptions) == [name]
    assert found.notes[-1].subject == name


def test_a_derived_name_is_unique() -> None:
    taken = {"ip-203-0-113-7": NamedException("ip-203-0-113-7", prefixes=space("203.0.113.9/32"))}
    found = allow("203.0.113.7", owned=Owned(exceptions=taken))
    assert list(found.owned.exceptions) == ["ip-203-0-113-7", "ip-203-0-113-7-2"]


@given(st.lists(st.ip_addresses().map(str), min_size=1, max_size=4))
def test_any_addresses_get_a_name_that_the_rules_take(words: list[str]) -> None:
    words = [word for word in words if not word.startswith("::ffff:")] or ["203.0.113.7"]
    found = allow(*words)
    for _ in range(2):
        assert situation(found.owned).policy  # it loads
        found = allowing(situation(found.owned), Request(("203.0.113.99",)))


def test_the_same_again_for_longer_is_the_same_exception() -> None:
    once = allow("203.0.113.7", until=SOON, note="a")
    again = allow("203.0.113.7", owned=once.owned, until=LATER)
    [made] = again.owned.exceptions.values()
    assert (made.name, made.until, made.note) == ("ip-203-0-113-7", LATER, "a")
    assert kinds(again) == [NoteKind.EXCEPTION_ALLOWED]
    assert again.notes[0].data["made"] is False
    for until in (SOON, LATER):
        shorter = allow("203.0.113.7", owned=again.owned, until=until)
        assert shorter.owned == again.owned
        assert kinds(shorter) == [NoteKind.ALREADY_ALLOWED]
    forever = allow("203.0.113.7", owned=again.owned)
    assert [each.until for each in forever.owned.exceptions.values()] == [None]


def test_addresses_that_the_rules_allow_long_enough_are_not_repeated() -> None:
    for until in (None, LATER):
        found = allow("192.0.2.1", until=until)
        assert found.owned == Owned()
        [note] = found.notes
        assert (note.kind, note.subject) == (NoteKind.ALREADY_ALLOWED, "trunk")
        assert note.data == {"what": "192.0.2.1", "until": None}


def test_an_address_allowed_for_other_services_is_allowed_for_the_wanted_ones() -> None:
    owned = hotel("203.0.113.7/32", services=("sip",), until=None)
    assert kinds(allow("203.0.113.7", owned=owned, services=("sip",))) == [NoteKind.ALREADY_ALLOWED]
    wider = allow("203.0.113.7", owned=owned)
    assert list(wider.owned.exceptions) == ["hotel", "ip-203-0-113-7"]


def test_an_address_of_an_allowed_country_gets_a_note_and_an_exception() -> None:
    found = allow("198.51.100.9")
    assert kinds(found) == [NoteKind.ALLOWED_BY_COUNTRY, NoteKind.EXCEPTION_ALLOWED]
    assert found.notes[0].data == {"country": "JP"}


def test_a_disabled_exception_that_contains_it_is_reported() -> None:
    found = allow("192.0.2.65")
    assert kinds(found) == [NoteKind.EXCEPTION_CONTAINS, NoteKind.EXCEPTION_ALLOWED]
    assert found.notes[0].data == {"exception": "off"}


def test_an_exception_of_the_command_line_is_extended_by_its_name() -> None:
    owned = hotel("203.0.113.7/32", services=("sip",))
    found = allow("203.0.113.9", "phone.example.org", owned=owned, name="hotel", until=LATER)
    assert found.owned.exceptions["hotel"] == NamedException(
        "hotel",
        hosts=("phone.example.org",),
        prefixes=space("203.0.113.7/32", "203.0.113.9/32"),
        services=("sip",),
        until=LATER,
    )


@pytest.mark.parametrize(
    ("held", "wanted", "message"),
    [
        (LATER, SOON, "ends at 2026-11-26 20:00 UTC"),
        (LATER, None, "Give --until 2026-11-26T20:00:00Z or a later time"),
        (None, SOON, "The exception hotel has no end"),
    ],
)
def test_one_exception_has_one_end(
    held: datetime | None, wanted: datetime | None, message: str
) -> None:
    owned = hotel("203.0.113.7/32", until=held)
    assert message in refusal("203.0.113.9", owned=owned, name="hotel", until=wanted)


@pytest.mark.parametrize(
    ("words", "more", "message"),
    [
        (("203.0.113.9",), {"name": "trunk"}, "trunk is defined in /r/50.toml:7. Give another"),
        (("203.0.113.9",), {"name": "bria"}, '"bria" is the name of a group.'),
        (("203.0.113.9",), {"name": "Hotel"}, '--name: "Hotel" is not a valid name; expected'),
        (("push",), {"name": "hotel"}, "--name is for addresses and hosts"),
        (("push",), {"services": ("sip",)}, "the exception push are in its rules"),
        (("203.0.113.9",), {"services": ("spi",)}, '--service: unknown service "spi"'),
        (("203.0.113.9", "ofice"), {}, 'Unknown exception or group "ofice"'),
    ],
)
def test_impossible_requests_are_refused(
    words: tuple[str, ...], more: dict[str, Any], message: str
) -> None:
    assert message in refusal(*words, **more)


def test_other_services_under_the_same_name_are_refused() -> None:
    owned = hotel("203.0.113.7/32", services=("sip",))
    told = refusal("203.0.113.9", owned=owned, name="hotel", services=("rtp",), until=LATER)
    assert told == "The exception hotel exists already, for sip. Give another --name."


def test_an_exception_of_the_rules_is_enabled_until_a_time() -> None:
    found = allow("bria", until=LATER, note="for Sato")
    switch = Switch(True, "for Sato", LATER)
    assert found.owned == Owned({"push": switch, "push-as": switch})
    assert found.enabled == ("push", "push-as")
    again = allow("push", owned=found.owned, until=SOON)
    assert (again.owned, kinds(again)) == (found.owned, [NoteKind.ALREADY_ALLOWED])
    forever = allow("push", owned=found.owned)
    assert forever.owned.switches["push"] == Switch(True)


def test_an_exception_that_the_rules_allow_without_an_end_gets_no_end() -> None:
    found = allow("trunk", until=LATER)
    assert (found.owned, kinds(found)) == (Owned(), [NoteKind.ALREADY_ALLOWED])


def test_an_exception_that_was_revoked_is_revoked_again_after_its_end() -> None:
    revoked = Owned({"trunk": Switch(False)})
    found = allow("trunk", owned=revoked, until=LATER)
    policy = situation(found.owned).policy
    assert "trunk" in {each.name for each in policy.at(NOW).enabled_exceptions()}
    assert "trunk" not in {each.name for each in policy.at(LATER).enabled_exceptions()}
    assert found.owned.at(LATER) == revoked


def test_an_exception_that_the_rules_enable_later_stays_enabled() -> None:
    found = allow("push", until=LATER)
    later = RulesFile("/r/60.toml", "exception.push.enabled = true")
    files = (RulesFile("/r/50.toml", RULES), RulesFile(f"/r/{OWNED_FILE}", found.owned.text()))
    policy = policy_of((files[0], later, files[1]))
    [push] = [each for each in policy.exceptions if each.name == "push"]
    assert (push.enabled, push.until) == (True, None)


# countries


def reached(owned: Owned, code: str, at: datetime = NOW) -> dict[str, str]:
    """Whether a country may reach each service at a time: for good, until when, or not."""
    policy = situation(owned).policy.at(at)
    timed = [each for each in policy.timed_countries() if each.code == code]
    found = {}
    for service in policy.services:
        until = next((str(each.until) for each in timed if each.concerns(service.name)), "no")
        found[service.name] = "yes" if code in policy.service_countries(service) else until
    return found


def test_a_country_is_allowed_for_all_services_or_for_some() -> None:
    found = allow(countries=("US", "DE"))
    assert reached(found.owned, "US") == reached(found.owned, "DE") == {"sip": "yes", "rtp": "yes"}
    some = allow(countries=("US",), services=("rtp",), note="x")
    assert some.owned.countries == {"US": CountrySwitch("US", True, ("rtp",), "x")}
    both = allow(countries=("US",), services=("sip",), owned=some.owned)
    assert reached(both.owned, "US") == {"sip": "yes", "rtp": "yes"}
    assert kinds(both) == [NoteKind.COUNTRY_ALLOWED]


def test_a_country_of_the_rules_is_allowed_already() -> None:
    for until in (None, LATER):
        found = allow(countries=("JP",), until=until)
        assert (found.owned, kinds(found)) == (Owned(), [NoteKind.COUNTRY_ALREADY_ALLOWED])


def test_a_country_that_was_revoked_is_allowed_by_the_rules_again() -> None:
    revoked = Owned(countries={"JP": CountrySwitch("JP", allowed=False)})
    assert allow(countries=("JP",), owned=revoked).owned == Owned()


def test_a_country_that_was_revoked_is_revoked_again_after_its_end() -> None:
    revoked = Owned(countries={"JP": CountrySwitch("JP", allowed=False)})
    found = allow(countries=("JP",), owned=revoked, until=LATER)
    assert reached(found.owned, "JP") == {"sip": str(LATER), "rtp": str(LATER)}
    assert reached(found.owned, "JP", LATER) == {"sip": "no", "rtp": "no"}
    assert found.owned.at(LATER) == revoked


def test_a_country_that_the_rules_allow_meanwhile_stays_allowed() -> None:
    found = allow(countries=("US",), until=LATER)
    rules = RULES.replace('["JP"]', '["JP", "US"]')
    files = (RulesFile("/r/50.toml", rules), RulesFile(f"/r/{OWNED_FILE}", found.owned.text()))
    for at in (NOW, LATER):
        policy = policy_of(files).at(at)
        assert all("US" in policy.service_countries(each) for each in policy.services)


SERVICES = st.sampled_from([(), ("sip",), ("rtp",), ("sip", "rtp")])
CODES = st.sampled_from(["JP", "US"])
STEPS = st.lists(
    st.tuples(CODES, SERVICES, st.sampled_from([None, SOON, LATER])), min_size=1, max_size=4
)


@given(STEPS, st.booleans())
def test_allowing_a_country_does_that_and_nothing_else(
    steps: list[tuple[str, tuple[str, ...], datetime | None]], revoked: bool
) -> None:
    owned = Owned(countries={"JP": CountrySwitch("JP", allowed=False)} if revoked else {})
    for code, services, until in steps:
        before = owned
        try:
            owned = allow(countries=(code,), owned=owned, services=services, until=until).owned
        except UsageError:
            continue
        for each in ("JP", "US"):
            was, now = reached(before, each), reached(owned, each)
            after_was, after = reached(before, each, LATER), reached(owned, each, LATER)
            for service in was:
                if each != code or (services and service not in services):
                    assert now[service] == was[service]
                    assert after[service] == after_was[service]
                elif until is None:
                    assert now[service] == after[service] == "yes"
                else:
                    assert now[service] == "yes" or now[service] >= str(until)
                    assert after[service] == after_was[service]
