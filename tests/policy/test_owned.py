"""The file of the command line: what is written is read again, and what has ended is dropped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import RulesError
from geofence.model.policy import CountrySwitch, NamedException, Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.policy import OWNED_FILE, read_owned
from geofence.policy.files import RulesFile
from geofence.policy.owned import Owned, Switch
from tests.policy.rules import policy, policy_of
from tests.support.values import prefix_sets, space

T = TypeVar("T", Switch, CountrySwitch)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PAST, LATER = NOW - timedelta(hours=1), NOW + timedelta(hours=8)
SERVICES = ("rtp", "sip")
RULES = """
service.sip.ports = ["5060/udp"]
service.rtp.ports = ["10000/udp"]
allow.countries = ["JP"]
exception.push = { prefixes = ["192.0.2.8"], enabled = false }
exception.trunk = { prefixes = ["192.0.2.9"] }
"""

_HOUR_OFFSETS = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
_ENDS = st.none() | st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001 - the strategy adds the zone
    datetime(9999, 12, 29),  # noqa: DTZ001 - the strategy adds the zone
    timezones=st.just(UTC) | _HOUR_OFFSETS,
)
_NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)
_VISIBLE = st.characters(exclude_categories=["C", "Z"]) | st.just(" ")
_NOTES = st.text(_VISIBLE, max_size=200)
_SERVICES = st.lists(st.sampled_from(SERVICES), unique=True).map(tuple)
_HOSTS = st.lists(
    st.from_regex(r"([a-z0-9_]([a-z0-9-]{0,20}[a-z0-9])?\.){1,3}[a-z]{2,10}", fullmatch=True),
    unique=True,
    max_size=3,
).map(tuple)
# IPv4 addresses that are written as IPv6 are refused in every file.
_SPACES = st.builds(AddressSpace, prefix_sets(Family.IPV4), prefix_sets(Family.IPV6)).map(
    lambda found: found - space("::ffff:0:0/96")
)
_EXCEPTIONS = st.builds(
    NamedException,
    _NAMES,
    hosts=_HOSTS,
    prefixes=_SPACES,
    services=_SERVICES,
    note=_NOTES,
    until=_ENDS,
).filter(lambda made: bool(made.hosts or made.prefixes))
_BOOLEANS = st.booleans()


def _ending(switch: T) -> T:
    """Only what has an end says what is after it."""
    return switch if switch.until else replace(switch, revoked_after=False)


_COUNTRIES = st.builds(
    CountrySwitch,
    st.sampled_from(["US", "DE", "JP"]),
    allowed=st.just(True),
    services=_SERVICES,
    note=_NOTES,
    until=_ENDS,
    revoked_after=_BOOLEANS,
).map(_ending) | st.builds(
    CountrySwitch,
    st.sampled_from(["FR", "GB"]),
    allowed=st.just(False),
    services=_SERVICES,
    note=_NOTES,
)
_SWITCHES = st.builds(Switch, st.just(True), _NOTES, _ENDS, _BOOLEANS).map(_ending) | st.builds(
    Switch, st.just(False), _NOTES
)


@st.composite
def files(draw: st.DrawFn) -> Owned:
    """Whatever the command line may have written."""
    made = {each.name: each for each in draw(st.lists(_EXCEPTIONS, max_size=3))}
    switches = draw(st.dictionaries(_NAMES, _SWITCHES, max_size=3))
    others = {name: each for name, each in switches.items() if name not in made}
    countries = {each.code: each for each in draw(st.lists(_COUNTRIES, max_size=3))}
    return Owned(others, made, countries)


def load(owned: str, rules: str = RULES) -> Policy:
    """The policy of rules and of the command line's file."""
    return policy_of((RulesFile("/r/50-mine.toml", rules), RulesFile(f"/r/{OWNED_FILE}", owned)))


@given(files())
def test_written_files_are_read_back(owned: Owned) -> None:
    assert read_owned(owned.text()) == owned
    assert read_owned(owned.text()).text() == owned.text()


@given(files())
def test_the_loaded_rules_have_the_written_values(owned: Owned) -> None:
    named = "".join(
        f'exception.{name} = {{ hosts = ["a.example"], enabled = false }}\n'
        for name in owned.switches
    )
    services = 'service.sip.ports = ["1/udp"]\nservice.rtp.ports = ["2/udp"]\n'
    loaded = load(owned.text(), services + named)
    found = {each.name: each for each in loaded.exceptions}
    assert {name: found[name] for name in owned.exceptions} == owned.exceptions
    assert {n: (found[n].enabled, found[n].note, found[n].until) for n in owned.switches} == {
        name: (each.enabled, each.note, each.until) for name, each in owned.switches.items()
    }
    assert {each.code: each for each in loaded.country_switches} == owned.countries


@given(files(), st.sampled_from([PAST, NOW, LATER]) | st.datetimes(timezones=st.just(UTC)))
def test_dropping_ended_entries_keeps_all_that_is_allowed(owned: Owned, now: datetime) -> None:
    named = "".join(
        f'exception.{name} = {{ hosts = ["a.example"], enabled = {enabled} }}\n'
        for name, enabled in zip(owned.switches, ("true", "false", "true"), strict=False)
    )
    rules = RULES.partition("exception.")[0] + named
    kept = owned.at(now)
    before, after = (load(each.text(), rules).at(now) for each in (owned, kept))
    assert {each.name for each in after.enabled_exceptions()} == {
        each.name for each in before.enabled_exceptions()
    }
    assert after.timed_countries() == before.timed_countries()
    assert [after.service_countries(each) for each in after.services] == [
        before.service_countries(each) for each in before.services
    ]
    assert kept.at(now) == kept


def test_the_text_of_all_that_it_may_have() -> None:
    owned = Owned(
        {"push": Switch(True, 'for "Q" and \\', LATER)},
        {
            "hotel": NamedException(
                "hotel",
                prefixes=space("203.0.113.7/32", "2001:db8::/64"),
                hosts=("phone.example.org",),
                services=("sip",),
                note="Sato, until Friday",
                until=LATER,
            )
        },
        {"US": CountrySwitch("US", allowed=True, services=("sip", "rtp"))},
    )
    assert owned.text().partition("\n\n")[2] == (
        "[country.US]\n"
        "allowed = true\n"
        'services = ["sip", "rtp"]\n'
        "\n"
        "[exception.hotel]\n"
        'prefixes = ["203.0.113.7", "2001:db8::/64"]\n'
        'hosts = ["phone.example.org"]\n'
        'services = ["sip"]\n'
        'note = "Sato, until Friday"\n'
        "until = 2026-11-26T20:00:00Z\n"
        "\n"
        "[exception.push]\n"
        "enabled = true\n"
        'note = "for \\"Q\\" and \\\\"\n'
        "until = 2026-11-26T20:00:00Z\n"
    )


def test_ended_entries_are_dropped_or_revoked_again() -> None:
    owned = Owned(
        {"push": Switch(True, until=PAST), "trunk": Switch(True, until=NOW, revoked_after=True)},
        {"hotel": NamedException("hotel", hosts=("a.example",), until=NOW)},
        {
            "JP": CountrySwitch("JP", True, ("sip",), until=PAST, revoked_after=True),
            "US": CountrySwitch("US", allowed=True, until=PAST),
            "DE": CountrySwitch("DE", allowed=True, until=LATER),
        },
    )
    assert owned.at(NOW) == Owned(
        switches={"trunk": Switch(False)},
        countries={
            "JP": CountrySwitch("JP", allowed=False, services=("sip",)),
            "DE": owned.countries["DE"],
        },
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[exception.a]\nhosts = ["a.example"]\ngroup = "g"', 3),
        ("[exception.a]\nhosts = []", 2),
        ("[exception.a]\nhosts = [7]", 2),
        ('[exception.a]\nprefixes = ["192.0.2.1/24"]', 2),
        ('[exception.a]\nprefixes = "192.0.2.1"', 2),
        ("[exception.a]\nenabled = false\nuntil = 2026-11-26T12:00:00Z", 3),
        ("[exception.a]\nenabled = true\nuntil = 2026-11-26T12:00:00", 3),
        ("[exception.a]\nenabled = true\nuntil = 2026-11-26", 3),
        ('[exception.a]\nenabled = true\nuntil = "2026-11-26T12:00:00Z"', 3),
        ("[exception.a]\nenabled = true\nuntil = 0001-01-01T00:00:00+14:00", 3),
        ("[exception.a]\nenabled = true\nuntil = 9999-12-31T23:00:00-14:00", 3),
        ("[exception.a]\nenabled = true\nnote = 7", 3),
        ("[country.US]\nallowed = 1", 2),
        ("[country.us]\nallowed = true", 2),
        ("[country.ZZ]\nallowed = true", 2),
        ("[country.US]\n", 1),
        ("[country.US]\nallowed = true\nservices = []", 3),
        ("[country.US]\nallowed = false\nuntil = 2026-11-26T12:00:00Z", 3),
        ("[country.US]\nallowed = true\nurls = { a = 1 }", 3),
        ("country = 1", 1),
        ("[exception.a]\nenabled = true\nrevoked_after = true", 3),
        ("[country.US]\nallowed = true\nuntil = 2026-11-26T12:00:00Z\nrevoked_after = 1", 4),
    ],
)
def test_hand_written_rules_in_it_are_kept(text: str, line: int) -> None:
    with pytest.raises(RulesError, match=rf"^{OWNED_FILE}:{line}: this was not written by "):
        read_owned(text)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("until = 2026-11-26T12:00:00Z", "exception.x.until: only 'geofence allow'"),
        ("until = 2026-11-26", "exception.x.until: found 2026-11-26; expected a date and a time"),
        ("until = 2026-11-26T12:00:00", "is not a point in time; expected a date and a time"),
        ("untl = 2026-11-26T12:00:00Z", "unknown key; expected description, hosts"),
    ],
)
def test_an_end_in_another_file_is_a_mistake(key: str, message: str) -> None:
    with pytest.raises(RulesError) as caught:
        policy(f'[exception.x]\nhosts = ["a.example"]\n{key}\n')
    assert str(caught.value).startswith("1.toml:3: ")
    assert message in str(caught.value)
    assert "until," not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[country.US]\nallowed = true", "/r/50-mine.toml:1: country.US: only 'geofence allow'"),
        ("[country.UK]\nallowed = true", 'country.UK: unknown country "UK"'),
        ("country = 7", "/r/50-mine.toml:1: country: found 7; expected the table [country]"),
    ],
)
def test_a_country_in_another_file_is_a_mistake(text: str, message: str) -> None:
    with pytest.raises(RulesError) as caught:
        load("", text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[country.US]\nallowed = true\nservices = []", "contains no service"),
        ("[country.US]\nallowed = false\nuntil = 2026-11-26T12:00:00Z", "ends, but is not allowed"),
    ],
)
def test_a_wrong_country_in_its_own_file_is_a_mistake(text: str, message: str) -> None:
    with pytest.raises(RulesError, match=message):
        load(text)


MADE = '[exception.hotel]\nprefixes = ["203.0.113.7"]\n'


def test_an_exception_of_the_same_name_in_another_file_is_a_mistake_there() -> None:
    with pytest.raises(RulesError) as caught:
        load(MADE, f'{RULES}\n[exception.hotel]\nhosts = ["hotel.example"]\n')
    assert str(caught.value) == (
        "/r/50-mine.toml:8: exception.hotel: 'geofence allow' made an exception of this name "
        f"(/r/{OWNED_FILE}:1); expected another name here, or that table removed from {OWNED_FILE}"
    )


def test_another_file_may_disable_an_exception_of_the_command_line() -> None:
    assert not load(MADE, f"{RULES}exception.hotel.enabled = false\n").exceptions[-1].enabled


def test_removed_services_are_tolerated_in_the_file_of_the_command_line() -> None:
    owned = (
        '[exception.hotel]\nprefixes = ["203.0.113.7"]\nservices = ["sip", "fax"]\n'
        '[exception.gone]\nprefixes = ["203.0.113.8"]\nservices = ["fax"]\n'
        '[country.US]\nallowed = true\nservices = ["fax"]\n'
    )
    loaded = load(owned)
    assert {each.name: each.services for each in loaded.exceptions} == {
        "push": (),
        "trunk": (),
        "hotel": ("sip",),
    }
    assert loaded.country_switches == ()
    with pytest.raises(RulesError, match='unknown service "fax"'):
        policy(RULES.replace('"192.0.2.9"]', '"192.0.2.9"], services = ["fax"]'))
