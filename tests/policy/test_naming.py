from __future__ import annotations

import pytest

from geofence.errors import ExitCode, UsageError
from geofence.policy import exceptions_named
from tests.policy.rules import policy

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
        ("push-sa", 'called "push-sa"; did you mean push-as? '),
        ("Bria", 'called "Bria"; did you mean bria? '),
        ("push_as", 'called "push_as"; did you mean push-as? '),
        ("voice", 'called "voice". '),
        ("\x1b[m", 'called "\\x1b[m". '),
    ],
)
def test_an_unknown_name(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        exceptions_named(RULES, name)
    assert message in str(caught.value)
    assert str(caught.value).endswith(
        "The rules have the group bria and the exceptions push, push-as, trunk."
    )
    assert caught.value.exit_code is ExitCode.USAGE


def test_without_any_exception() -> None:
    with pytest.raises(UsageError) as caught:
        exceptions_named(policy(""), "push")
    assert str(caught.value) == (
        'No exception or group is called "push". The rules have no group and no exception.'
    )


def test_a_long_list_of_names_is_cut_short() -> None:
    rules = policy("".join(f'exception.e{n}.hosts = ["a.example"]\n' for n in range(100)))
    with pytest.raises(UsageError, match=r"e38, e39 and 60 more\.$"):
        exceptions_named(rules, "none-of-these-names")
