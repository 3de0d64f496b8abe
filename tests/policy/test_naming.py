from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ExitCode, UsageError
from geofence.model.prefixes import address_texts
from geofence.policy import exceptions_named
from geofence.policy.naming import targets
from tests.policy.rules import policy
from tests.support.values import full_width

RULES = policy(
    """
    exception.push = { hosts = ["push.example"], group = "bria" }
    exception.push-as = { hosts = ["push-as.example"], group = "bria", enabled = false }
    exception.trunk = { prefixes = ["192.0.2.1"] }
    """
)


@pytest.mark.parametrize(
    ("name", "found"),
    [("push-as", ["push-as"]), ("bria", ["push", "push-as"]), ("trunk", ["trunk"])],
)
def test_an_exception_or_a_group(name: str, found: list[str]) -> None:
    assert [exception.name for exception in exceptions_named(RULES, name)] == found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("push-sa", '"push-sa"; did you mean push-as? '),
        ("Bria", '"Bria"; did you mean bria? '),
        ("push_as", '"push_as"; did you mean push-as? '),
        ("voice", '"voice". '),
        ("\x1b[m", '"\\x1b[m". '),
    ],
)
def test_an_unknown_name(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        exceptions_named(RULES, name)
    assert message in str(caught.value)
    assert str(caught.value).endswith("Groups: bria. Exceptions: push, push-as, trunk.")
    assert caught.value.exit_code is ExitCode.USAGE


SHIPPED = policy(
    """
    allow.countries = ["JP"]
    [exception.push-as]
    description = "Push server, Asia"
    hosts = ["push-as.example"]
    last_known = ["192.0.2.8"]
    [exception.push-za]
    description = "Push server, South Africa"
    hosts = ["push-za.example"]
    """
)


@pytest.mark.parametrize(
    ("name", "verb", "message"),
    [
        (
            "push-sa",
            "allow",
            'did you mean push-za ("Push server, South Africa") or push-as ("Push server, Asia")?',
        ),
        (full_width("push-as"), "allow", "did you mean push-as?"),
        (
            "US",
            "allow",
            "is a country (United States), not an exception; run 'geofence allow --country US'.",
        ),
        (full_width("US"), "allow", "run 'geofence allow --country US'."),
        ("germany", "allow", "run 'geofence allow --country DE'."),
        ("JP", "revoke", "run 'geofence revoke --country JP'."),
    ],
)
def test_a_name_of_something_else_gets_its_own_message(name: str, verb: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        exceptions_named(SHIPPED, name, verb)
    assert message in str(caught.value)


def test_without_any_exception() -> None:
    with pytest.raises(UsageError) as caught:
        exceptions_named(policy(""), "push")
    assert str(caught.value) == ('Unknown exception or group "push". The rules have no exceptions.')


def test_a_long_list_of_names_is_cut_short() -> None:
    rules = policy("".join(f'exception.e{n}.hosts = ["a.example"]\n' for n in range(100)))
    with pytest.raises(UsageError, match=r"e38, e39 and 60 more\.$"):
        exceptions_named(rules, "none-of-these-names")


def meant(*words: str) -> tuple[list[str], dict[str, list[str]], tuple[str, ...]]:
    """The names, the addresses and the hosts that words mean."""
    found = targets(SHIPPED, words)
    spaces = {word: address_texts(space) for word, space in found.addresses.items()}
    return [each.name for each in found.exceptions], spaces, found.hosts


@pytest.mark.parametrize(
    ("word", "addresses"),
    [
        ("198.51.100.7", ["198.51.100.7"]),
        ("198.51.100.0/24", ["198.51.100.0/24"]),
        ("2001:db8::/32", ["2001:db8::/32"]),
        (full_width("198.51.100.7"), ["198.51.100.7"]),
        ("198.51.100.7-198.51.100.9", ["198.51.100.7", "198.51.100.8/31"]),
        ("2001:db8::1-2001:db8::1", ["2001:db8::1"]),
        ("0.0.0.0-255.255.255.255", ["0.0.0.0/0"]),
    ],
)
def test_addresses_prefixes_and_ranges(word: str, addresses: list[str]) -> None:
    assert list(meant(word)[1].values()) == [addresses]


def test_words_of_all_kinds_at_once() -> None:
    words = ("push-as", "198.51.100.7", "SIP.Example.com.", "push-as", "push-za.example")
    assert meant(*words) == (
        ["push-as"],
        {"198.51.100.7": ["198.51.100.7"]},
        ("sip.example.com", "push-za.example"),
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("198.51.100.7/24", "did you mean 198.51.100.0/24 or 198.51.100.7/32?"),
        ("198.51.100.300", '"198.51.100.300" is not a prefix; expected'),
        ("::ffff:192.0.2.1", "did you mean 192.0.2.1/32?"),
        ("198.51.100.9-198.51.100.7", "is not a range of addresses; expected two addresses"),
        ("198.51.100.9-2001:db8::1", "is not a range of addresses; expected two addresses"),
        ("https://sip.example.com/x", 'did you mean "sip.example.com"?'),
        ("sip..example", '"sip..example" is not a host name; expected a host name such as'),
        ("198.51.100.7:5060", '"198.51.100.7:5060" is not a prefix; expected'),
        ("US", "run 'geofence allow --country US'."),
        ("push-sa", "did you mean push-za"),
    ],
)
def test_a_word_that_means_nothing(word: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        targets(SHIPPED, ["push-as", word])
    assert message in str(caught.value)


@given(st.text() | st.text(alphabet="0123456789abcdef.:/-"))
def test_any_word_means_something_or_is_refused(word: str) -> None:
    try:
        found = targets(SHIPPED, [word])
    except UsageError:
        return
    assert found.exceptions or found.hosts or found.space
