"""Whatever stands in rules makes a policy or a RulesError that says where, never anything else.

A longer run is one with another profile of hypothesis.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import RulesError
from geofence.geoip.countries import country_name
from geofence.model.policy import Policy
from geofence.policy.files import RulesFile
from geofence.policy.load import load_policy
from tests.policy.documents import SCALARS, Writer, documents
from tests.policy.rules import policy_of

SHIPPED = "".join(
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "rules.d").glob("*.toml"), reverse=True)
)

BASE = RulesFile(
    "base",
    """
    service.sip.ports = ["5060/udp", "5060-5061/tcp"]
    allow.countries = ["JP"]
    exception.push = { hosts = ["push.example.com"], group = "bria", enabled = false }
    blocklist.x.url = "https://x.example/"
    """,
)

COMPLAINT = re.compile(r"[a-z]+(:\d+)?: .+; expected .+|These are the first 100 .+")


def judge(*files: RulesFile) -> None:
    """Load rules; hold a policy against what it promises, a refusal against the form of errors."""
    try:
        policy = policy_of(files)
    except RulesError as error:
        lines = str(error).splitlines()
        assert lines
        assert all(COMPLAINT.fullmatch(line) and line.isprintable() for line in lines), lines
    else:
        assert_sound(policy)


def assert_sound(policy: Policy) -> None:
    """What no accepted rules may lack, judged by other means than the reader's."""
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{,11}", service.name) for service in policy.services)
    ports = [ports for service in policy.services for ports in service.ports]
    fenced = {(p.protocol, port) for p in ports for port in range(p.first, p.last + 1)}
    assert len(fenced) == sum(p.last - p.first + 1 for p in ports)
    assert all(0 < port < 1 << 16 for _protocol, port in fenced)
    countries = [code for service in policy.services for code in policy.service_countries(service)]
    assert all(country_name(code) != code for code in countries)
    assert all(re.fullmatch(r"[^\s/:\"'\\+*-][^\s/:\"'\\+*]*\*?", n) for n in policy.interfaces)
    assert all(len(name.encode()) < 16 for name in policy.interfaces)
    names = {exception.name for exception in policy.exceptions}
    assert all(exception.group not in names for exception in policy.exceptions)
    assert all(each.lists or each.prefixes for each in policy.exceptions)
    assert all(map(is_safe, (each.feed for each in policy.exceptions if each.feed)))
    assert all(each.feed or not each.paths for each in policy.exceptions)
    assert all(not each.names for each in policy.exceptions if each.feed)
    patterns = [host for each in policy.exceptions for host in each.catalog.trunk_hosts]
    assert all(re.fullmatch(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", host) for host in patterns)
    assert all(pattern.count(".") > 1 for pattern in patterns if pattern.startswith("*"))
    assert all(blocklist.has_source or blocklist.prefixes for blocklist in policy.blocklists)
    assert all(map(is_safe, (*policy.country_urls, *policy.asn_urls)))
    assert all(country_name(code) != code for codes in policy.regions.values() for code in codes)
    asns = [number for service in policy.services for number in policy.allowed(service).asns]
    assert all(0 < number < (1 << 32) - 1 for number in asns)
    sources = [url for each in policy.blocklists for url in (*each.urls, *each.parts)]
    assert all(map(is_safe, sources))
    assert all(each.key_file for each in policy.blocklists if each.format == "apiban")
    assert all(Path(policy.notify_command[0]).is_absolute() for _ in policy.notify_command[:1])
    assert all(0 <= percent <= 100 for percent in policy.shrink_limits.values())
    assert timedelta(hours=1) <= policy.max_age
    assert timedelta(0) <= policy.daemon_jitter < timedelta(days=1)


def is_safe(url: str) -> bool:
    """Whether it is https, http that stays on this host, or a path."""
    if url.startswith("/"):
        return os.path.normpath(url) == url.removesuffix("/")
    host = (
        requests.Request("GET", url.format(cc="jp", asn="4713", family="ipv4")).prepare().url or ""
    )
    return bool(re.match(r"https://[^@/]+(/|$)|http://(127\.[\d.]+|\[::1\]|localhost)[:/]", host))


def judge_own(*texts: str) -> None:
    """The same for an operator's files on top of others."""
    judge(BASE, *(RulesFile("own", text) for text in texts))


KEYS = (
    "exception.x.feed",
    "exception.x.paths",
    "exception.x.kind",
    "exception.x.page",
    "exception.x.read",
    "exception.x.published",
    "exception.x.media",
    "exception.x.trunk_hosts",
    "service.sip.asns",
    "allow.asns",
    "region.x.countries",
    "region.y.countries",
    "source.asn.urls",
    "source.asn.format",
    "source.country.checksum",
    "blocklist.x.checksum",
    "service.sip.ports",
    "service.sip.countries",
    "service.x.description",
    "service.sip.enabled",
    "allow.countries",
    "local.prefixes",
    "local.interfaces",
    "exception.push.hosts",
    "exception.push.prefixes",
    "exception.push.services",
    "exception.push.group",
    "exception.push.enabled",
    "exception.push.description",
    "exception.x",
    "blocklist.x.url",
    "blocklist.x.urls",
    "blocklist.x.parts",
    "blocklist.x.refresh",
    "blocklist.x.format",
    "blocklist.x.key_file",
    "blocklist.x.keep",
    "blocklist.x.prefixes",
    "blocklist.x.enabled",
    "source.country.urls",
    "source.x",
    "backend",
    "boot.without_ruleset",
    "notify.command",
    "notify.mail",
    "notify.webhook_file",
    "guard.shrink",
    'guard.shrink."country JP"',
    "guard.shrink.blocklist",
    "lists.max_age",
    "atlas.enabled",
    "atlas.renew",
    "daemon.at",
    "daemon.jitter",
    "service",
    "allow",
    "exception",
    '""."\\u0000"',
)

HALF_RIGHT = st.text(alphabet="0123456789abcdef:./-*{}[]@ %hdwsm") | st.sampled_from(
    (
        "5060/udp",
        "70000-1/tcp",
        "JP",
        "jp",
        "XX",
        "10.0.0.1/8",
        "10.0.0.0/8",
        "1.2.3.4-1.2.3.9",
        "::/0",
        "0.0.0.0/0",
        "::ffff:0:0/96",
        "lo",
        "tun+",
        "push.example.com",
        "sip:a@b",
        "https://a.example/{cc}/{family}",
        "http://[::1]/{cc}",
        "https://[",
        "https://\u2100.example/",
        "nftables",
        "open",
        "36h",
        "999999w",
        "23:59",
        "/bin/true",
        "sip",
        "bria",
        "push",
        "country JP",
        "asn 4713",
        "AS4713",
        "4713",
        "64512",
        "@x",
        "@y",
        "@z",
        "/lists/{cc}.txt",
        "/lists/",
        "file:///lists/{asn}-{family}.txt",
        "/world.mmdb",
        "mmdb",
        "csv",
        "text",
        "{url}.sha256",
    )
)


def toml_string(text: str) -> str:
    """A basic string; TOML has no surrogates."""
    return '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'


STRINGS = (HALF_RIGHT | st.text(st.characters(exclude_categories=["Cs"]))).map(toml_string)
NUMBERS = (st.integers() | st.floats(width=32)).map(str)
LEAVES = STRINGS | NUMBERS | st.sampled_from(SCALARS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(STRINGS, inner, max_size=3).map(
            lambda table: f"{{{', '.join(f'{key} = {value}' for key, value in table.items())}}}"
        )
    ),
    max_leaves=8,
)


@given(st.text())
def test_any_text(text: str) -> None:
    judge_own(text)


@given(st.text(alphabet="[]{}=\"'.,#\n\r\t \\abc123-_:TZx+"))
def test_text_of_toml_tokens(text: str) -> None:
    judge_own(text)


@given(documents())
def test_any_document(document: Writer) -> None:
    judge_own(document.text)


@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), min_size=1, max_size=3))
def test_any_value_at_any_key(settings: list[tuple[str, str]]) -> None:
    judge_own(*(f"{key} = {value}\n" for key, value in settings))


@given(st.dictionaries(st.sampled_from(KEYS[:45]), STRINGS, min_size=1))
def test_lists_of_one_string_that_may_be_right(settings: dict[str, str]) -> None:
    judge_own(*(f"{key} = [{value}]\n" for key, value in settings.items()))


@given(st.data())
def test_shipped_rules_with_a_piece_missing_doubled_or_changed(data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(SHIPPED)))
    last = data.draw(st.integers(first, min(len(SHIPPED), first + 200)))
    middle = data.draw(st.just("") | st.just(SHIPPED[first:last] * 2) | st.text(max_size=10))
    judge(RulesFile("own", SHIPPED[:first] + middle + SHIPPED[last:]))


@given(st.lists(st.binary(max_size=100), max_size=3))
def test_any_bytes_in_files(contents: list[bytes]) -> None:
    with TemporaryDirectory() as directory:
        for index, octets in enumerate(contents):
            (Path(directory) / f"{index}.toml").write_bytes(octets)
        try:
            load_policy([Path(directory)])
        except RulesError as error:
            assert str(error).startswith(directory)  # noqa: PT017 - either outcome is right


def test_the_rules_that_are_changed_here_are_right_unchanged() -> None:
    assert len(policy_of([RulesFile("own", SHIPPED)]).exceptions) == 29
