"""Each kind of mistake: what the message says, and that it names the line.

Most are in ``mistakes.txt``: rules, then ``==>``, then the error line by line. A line with ``----``
stands before each case, ``~~~`` between the files of one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from geofence.policy.mistakes import MOST_SHOWN
from tests.policy.rules import complaints, policy

TEXT = Path(__file__).with_name("mistakes.txt").read_text(encoding="utf-8")
CASES = re.split(r"^----.*\n", TEXT, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.strip().splitlines()[-1][:70])
def test_messages_of_mistakes(case: str) -> None:
    rules, expected = case.split("\n==>\n")
    assert complaints(*rules.split("\n~~~\n")) == expected.splitlines()


def test_a_long_value_is_cut_short_in_the_message() -> None:
    [countries, prefixes] = complaints(
        f"""
        allow.countries = ["{"J" * 1000}"]
        local.prefixes = ["{"1" * 5000}/{"2" * 5000}"]
        """
    )
    assert countries.startswith(
        f'1.toml:2: allow.countries: unknown country "{"J" * 60}…"; expected'
    )
    assert prefixes.startswith(f'1.toml:3: local.prefixes: "{"1" * 60}…" is not a prefix; expected')


@pytest.mark.parametrize(
    "rule",
    [
        'blocklist.x.urls = "https://a.example/x?token=SECRET"',
        'blocklist.x.urls = "a.example/x?token=SECRET"',
        'blocklist.x.url = ["https://a.example/x?token=SECRET"]',
        'blocklist.x.url = "https://a.example/x?token=SECRET "',
        'blocklist.x.url = "SECRET:SECRET@a.example/x"',
        'blocklist.x.urls = "https://me:SECRET@a.example/x"',
        'blocklist.x.urls = ["https://a.example/?SECRET", "https://a.example/?SECRET"]',
        'source.country.urls = ["https://a.example/{country}?token=SECRET"]',
        'source.country.urls = ["https://a.example/?c={country}&token=SECRET"]',
        'source.country.urls = ["https://a.example/jp?token=SECRET"]',
        'source.country.urls = ["https://a.example/{cc}#SECRET", "https://a.example/{cc}#SECRET"]',
        'exception.x.hosts = ["https://a.example/x?token=SECRET"]',
        'allow.countries = ["https://a.example/x?token=SECRET"]',
        '"https://a.example/?SECRET" = 1',
    ],
)
def test_secrets_of_urls_are_hidden(rule: str) -> None:
    told = complaints(rule)
    assert told
    assert "SECRET" not in "".join(told)


def test_an_at_sign_in_a_path_is_not_a_password() -> None:
    [told] = complaints('source.country.urls = ["https://a.example/b@c/{country}.txt?d=e"]')
    assert told.startswith(
        '1.toml:1: source.country.urls: "https://a.example/b@c/{country}.txt?…" has other '
    )
    assert told.endswith('; did you mean "https://a.example/b@c/{cc}.txt?…"?')


def test_control_characters_are_escaped() -> None:
    told = complaints(
        r"""
        service = {"\u001b[2J" = []}
        exception.push.services = ["0"]
        """
    )
    assert all(line.isprintable() for line in told)
    assert any(r'unknown service "0"; expected \x1b[2J' in line for line in told)


def test_names_as_long_as_they_may_be() -> None:
    service, exception = "s" * 12, "e" * 40
    rules = policy(
        f'service.{service}.ports = ["1/udp"]\nexception.{exception}.hosts = ["h.example"]'
    )
    assert (rules.services[0].name, rules.exceptions[0].name) == (service, exception)


def test_a_service_that_is_switched_off_is_not_fenced_and_frees_its_ports() -> None:
    rules = policy(
        """
        service.old.ports = ["1-10/udp"]
        service.new.ports = ["5/udp"]
        exception.a = { hosts = ["a.example"], services = ["old"] }
        """,
        "service.old.enabled = false",
    )
    assert [service.name for service in rules.services] == ["new"]
    assert rules.exceptions[0].services == ("old",)


def test_an_address_is_a_prefix_of_its_own() -> None:
    local = policy('local.prefixes = ["192.0.2.1", "2001:db8::1"]').local
    assert (local.ipv4.size, local.ipv6.size) == (1, 1)


def test_hosts_are_lower_case_without_final_dot() -> None:
    assert policy('exception.a.hosts = ["Push.Example."]').exceptions[0].hosts == ("push.example",)


def test_interfaces_that_are_right() -> None:
    names = ("lo", "eth0.100", "br-0123456789ab", "wg_home", "tun*", "a-name-of-15-ch")
    assert policy(f"local.interfaces = {list(names)}").interfaces == names


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x",
        "http://127.9.9.9:8080/x",
        "http://[::1]:8080/x",
        "http://localhost/x",
        "https://192.0.2.1/",
    ],
)
def test_urls_that_are_right(url: str) -> None:
    rules = policy(f'blocklist.x.url = "{url}"\nsource.country.urls = ["{url}{{cc}}"]')
    assert (rules.blocklists[0].urls, rules.country_urls) == ((url,), (f"{url}{{cc}}",))


def test_only_the_first_mistakes_are_shown() -> None:
    lines = complaints("\n".join(f"k{number} = 1" for number in range(2 * MOST_SHOWN)))
    assert len(lines) == MOST_SHOWN + 1
    assert lines[-1] == "These are the first 100 mistakes; there may be more."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"backend = 0x{'f' * 5000}",
            "1.toml:1: backend: found a huge number; expected auto, ipset or nftables",
        ),
        (
            f"\n\na = 1{'0' * 5000}",
            "1.toml:3: has a number of thousands of digits; expected a number of a few digits",
        ),
        (
            f"a = {'[' * 5000}{']' * 5000}",
            "1.toml: is nested too deeply; expected at most 6 tables or arrays within one another",
        ),
    ],
    ids=["hexadecimal", "decimal", "deep"],
)
def test_values_beyond_all_measure(text: str, message: str) -> None:
    assert complaints(text) == [message]
