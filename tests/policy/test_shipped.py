"""The rules that ship say what the project promises."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from geofence.allowed import catalog
from geofence.allowed.catalog import Carries
from geofence.geoip.countries import known_size
from geofence.guards.lists import check_list
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import BackendChoice, Policy, WithoutRuleset
from geofence.model.prefixes import AddressSpace, Family
from geofence.policy import exceptions_named, load_policy
from geofence.policy.files import RulesFile
from tests.policy.rules import policy_of

RULES = Path(__file__).parents[2] / "rules.d"

PUSH_SERVERS = {
    "push": "216.93.246.120",
    "push-as": "35.185.177.49",
    "push-as3": "35.240.151.194",
    "push-au": "35.189.7.217",
    "push-au2": "35.244.85.149",
    "push-eu": "35.195.163.239",
    "push-eu2": "34.89.45.1",
    "push-ue": "216.93.246.120",
    "push-ue3": "35.230.185.25",
    "push-uw": "35.197.16.246",
    "push-uw3": "35.247.85.64",
    "push-uc": "35.239.221.102",
    "push-za": "102.133.161.81",
    "push-jp": "104.198.91.17",
}


@pytest.fixture(scope="module")
def shipped() -> Policy:
    return load_policy([RULES])


def holds(space: AddressSpace, address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return int(parsed) in space[Family.IPV4 if parsed.version == 4 else Family.IPV6]


def test_services(shipped: Policy) -> None:
    ports = {service.name: [str(ports) for ports in service.ports] for service in shipped.services}
    assert ports == {"sip": ["5060/udp", "5060-5061/tcp"], "rtp": ["10000-20000/udp"]}
    assert [shipped.service_countries(service) for service in shipped.services] == [("JP",)] * 2


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.1", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("192.168.1.1", True),
        ("127.0.0.1", False),
        ("169.254.1.1", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("0.0.0.1", False),
        ("::1", False),
        ("::2", False),
        ("fd00::1", True),
        ("fe80::1", False),
        ("fec0::1", False),
        ("2001:db8::1", False),
    ],
)
def test_local_networks(shipped: Policy, address: str, *, inside: bool) -> None:
    assert holds(shipped.local, address) is inside


def test_the_loopback_is_never_fenced(shipped: Policy) -> None:
    assert shipped.interfaces == ("lo",)


def test_push_servers(shipped: Policy) -> None:
    bria = exceptions_named(shipped, "bria")
    assert [exception.name for exception in bria] == list(PUSH_SERVERS)
    for exception in bria:
        assert exception.hosts == (f"{exception.name}.softphone.com",)
        assert exception.last_known.ipv4.size == 1
        assert holds(exception.last_known, PUSH_SERVERS[exception.name])
        assert exception.services == ("sip",)
        assert exception.description.startswith("Bria push server, ")


def test_each_entry_of_the_catalogue_says_where_it_comes_from(shipped: Policy) -> None:
    assert len(shipped.exceptions) == len(catalog.entries(shipped.exceptions)) == 29
    for each in shipped.exceptions:
        facts = each.catalog
        assert facts.page.startswith("https://"), each.name
        assert facts.read is not None, each.name
        assert date(2026, 1, 1) < facts.read <= date(2026, 11, 26), each.name
        assert each.description, each.name
        assert catalog.carries(each, shipped.exceptions), each.name


def test_each_entry_of_the_catalogue_reaches_one_service(shipped: Policy) -> None:
    service = {Carries.SIGNALLING: ("sip",), Carries.MEDIA: ("rtp",), Carries.BOTH: ("sip", "rtp")}
    for each in shipped.exceptions:
        carried = catalog.carries(each, shipped.exceptions)
        assert carried is not None, each.name
        assert each.services == service[carried], each.name


def test_no_entry_of_the_catalogue_has_addresses_that_a_list_may_not_have(shipped: Policy) -> None:
    for each in shipped.exceptions:
        feed = ListId(ListKind.FEED, each.name)
        assert each.written or each.hosts
        if each.written:
            assert check_list(feed, each.written, None, shipped) == (), each.name


def test_the_media_of_telnyx_are_the_16_prefixes_of_its_feed(shipped: Policy) -> None:
    (media,) = exceptions_named(shipped, "telnyx-media")
    assert media.feed == "https://sip.telnyx.com/voice.json"
    assert media.last_known.ipv4.size == 4_720


FIREHOL = "https://raw.githubusercontent.com/firehol/blocklist-ipsets/master"
SPAMHAUS = tuple(f"https://www.spamhaus.org/drop/drop_v{family}.json" for family in (4, 6))


def test_exceptions_and_blocklists_are_disabled_by_default(shipped: Policy) -> None:
    assert shipped.enabled_exceptions() == ()
    assert shipped.enabled_blocklists() == ()
    assert {each.name: each.urls or each.parts for each in shipped.blocklists} == {
        "voipbl": ("https://www.voipbl.org/update/",),
        "apiban": ("https://apiban.org/api",),
        "spamhaus-drop": SPAMHAUS,
        "firehol-level1": (f"{FIREHOL}/firehol_level1.netset",),
        "blocklist-de-sip": ("https://lists.blocklist.de/lists/sip.txt",),
        "dshield": ("https://feeds.dshield.org/block.txt",),
    }


def test_no_source_of_a_blocklist_is_asked_more_often_than_it_wants(shipped: Policy) -> None:
    known = {each.name: each for each in shipped.blocklists}
    assert all(each.refresh for each in known.values())
    assert known["spamhaus-drop"].refresh == timedelta(hours=1)
    assert known["voipbl"].refresh == timedelta(hours=4)
    assert known["apiban"].key_file == "/etc/geofence/apiban.key"


def test_each_blocklist_has_its_size_and_terms_beside_it() -> None:
    text = (RULES / "50-blocklists.toml").read_text("utf-8")
    comments = re.findall(r"((?:^#.*\n)+)\[blocklist\.", text, re.MULTILINE)
    assert len(comments) == 6
    assert all("Terms:" in each and re.search(r"[0-9]", each) for each in comments)


def test_sources_json_first(shipped: Policy) -> None:
    base = "https://raw.githubusercontent.com/ipverse/country-ip-blocks/master/country/{cc}"
    of_asns = "https://raw.githubusercontent.com/ipverse/as-ip-blocks/master/as/{asn}"
    assert shipped.asn_urls == (
        f"{of_asns}/aggregated.json",
        "https://cdn.jsdelivr.net/gh/ipverse/as-ip-blocks@master/as/{asn}/aggregated.json",
        f"{of_asns}/{{family}}-aggregated.txt",
    )
    assert shipped.country_urls == (
        f"{base}/aggregated.json",
        "https://cdn.jsdelivr.net/gh/ipverse/country-ip-blocks@master/country/{cc}/aggregated.json",
        f"{base}/{{family}}-aggregated.txt",
    )


def test_regions_have_countries_with_lists(shipped: Policy) -> None:
    assert {len(shipped.regions[name]) for name in ("eu", "eea")} == {27, 30}
    assert set(shipped.regions["nordics"]) == {"AX", "DK", "FI", "FO", "GL", "IS", "NO", "SE"}
    assert set(shipped.regions["eu"]) < set(shipped.regions["eea"])
    for name, codes in shipped.regions.items():
        assert len(set(codes)) == len(codes) > 1, name
        assert all(known_size(code, Family.IPV4) for code in codes), name
        assert {"CN", "KP", "RU", "IR"}.isdisjoint(codes), name
    for name in ("baltics", "benelux", "dach", "asean", "oceania", "east-asia", "north-america"):
        assert name in shipped.regions


def test_operation(shipped: Policy) -> None:
    assert (shipped.backend, shipped.without_ruleset) == (
        BackendChoice.AUTO,
        WithoutRuleset.CLOSED,
    )
    assert (shipped.max_age, shipped.daemon_at, shipped.daemon_jitter) == (
        timedelta(days=7),
        time(3, 30),
        timedelta(hours=1),
    )
    assert (shipped.atlas_enabled, shipped.atlas_renew) == (False, timedelta(days=7))
    assert (shipped.notify_command, shipped.shrink_limits) == ((), {})


def test_shipped_defaults_are_the_defaults_of_the_code(shipped: Policy) -> None:
    without = policy_of(
        RulesFile(path.name, path.read_text(encoding="utf-8"))
        for path in sorted(RULES.glob("*.toml"))
        if path.name != "70-operation.toml"
    )
    times = ("max_age", "daemon_at", "daemon_jitter", "atlas_renew")
    for field in ("backend", "without_ruleset", "atlas_enabled", *times):
        assert getattr(without, field) == getattr(shipped, field)


def test_one_concern_a_file() -> None:
    tables = {
        path.name: set(tomllib.loads(path.read_text(encoding="utf-8")))
        for path in sorted(RULES.iterdir())
    }
    assert tables == {
        "10-services.toml": {"service"},
        "20-countries.toml": {"allow"},
        "25-regions.toml": {"region"},
        "30-local.toml": {"local"},
        "40-bria.toml": {"exception"},
        "41-push.toml": {"exception"},
        "42-trunks.toml": {"exception"},
        "50-blocklists.toml": {"blocklist"},
        "60-sources.toml": {"source"},
        "70-operation.toml": {"backend", "lists", "atlas", "boot", "daemon", "asterisk"},
    }


EXAMPLE = re.compile(r"(?:^#     .*\n)+(?:(?:^#\n)?(?:^#     .*\n)+)*", re.MULTILINE)


def test_every_example_in_the_comments_loads() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(RULES.iterdir())}
    shown = [example for text in texts.values() for example in EXAMPLE.findall(text)]
    rules = [re.sub(r"^# {0,5}", "", example, flags=re.MULTILINE) for example in shown]
    examples = [text for text in rules if not text.startswith("geofence")]
    for example in examples:
        policy_of([*(RulesFile(*file) for file in texts.items()), RulesFile("example", example)])
    assert len(examples) == 17
