from __future__ import annotations

import pytest

from geofence.errors import ExitCode, UsageError
from geofence.policy import exceptions_named
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
        ("US", "allow", 'To allow United States, write\n  [allow]\n  countries = ["JP", "US"]\n'),
        (full_width("US"), "allow", 'countries = ["JP", "US"]'),
        ("germany", "allow", 'countries = ["JP", "DE"]'),
        ("JP", "revoke", "To block Japan, write\n  [allow]\n  countries = []\n"),
        ("198.51.100.7", "allow", '[exception.NAME]\n  prefixes = ["198.51.100.7/32"]\n'),
        ("2001:db8::/32", "allow", 'prefixes = ["2001:db8::/32"]'),
        ("192.0.2.8", "allow", "push-as contains this address: run 'geofence allow push-as'."),
        ("192.0.2.8", "revoke", "push-as contains this address: run 'geofence revoke push-as'."),
        ("198.51.100.7", "revoke", "'geofence why' shows what allows it."),
        ("sip.example.com", "allow", 'hosts = ["sip.example.com"]'),
        ("push-za.example", "allow", "The exception push-za has this host: use that name."),
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
