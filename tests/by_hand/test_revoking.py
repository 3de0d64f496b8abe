"""What ``revoke`` makes of the command line's file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.by_hand.request import Answer, Request
from geofence.by_hand.revoking import revoking
from geofence.errors import UsageError
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import NoteKind
from geofence.model.policy import CountrySwitch, NamedException
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.policy.owned import Owned, Switch
from tests.by_hand.test_allowing import LISTS, hotel, kinds, situation
from tests.support.values import prefix_sets, prefixes, space


def revoke(*words: str, owned: Owned | None = None, **more: object) -> Answer:
    return revoking(situation(owned), Request(words, **more))  # type: ignore[arg-type]  # a test's shorthand


def test_an_exception_of_the_rules_is_disabled() -> None:
    found = revoke("trunk", "bria")
    assert found.owned == Owned(dict.fromkeys(("trunk", "push", "push-as"), Switch(False)))
    assert found.disabled == ("trunk", "push", "push-as")
    assert found.revoked == space("192.0.2.0/28")


def test_an_exception_of_the_command_line_is_deleted() -> None:
    for word in ("hotel", "203.0.113.7", "203.0.113.7/32", "203.0.113.7-203.0.113.7"):
        found = revoke(word, owned=hotel("203.0.113.7/32"))
        assert (found.owned, kinds(found)) == (Owned(), [NoteKind.EXCEPTION_DELETED])
        assert found.revoked == space("203.0.113.7/32")


def test_one_of_several_addresses_is_taken_out() -> None:
    owned = hotel("203.0.113.7/32", "203.0.113.9/32", hosts=("phone.example.org",))
    found = revoke("203.0.113.7", owned=owned)
    assert found.owned == hotel("203.0.113.9/32", hosts=("phone.example.org",))
    assert kinds(found) == [NoteKind.EXCEPTION_SMALLER]
    left = revoke("203.0.113.9", owned=found.owned)
    assert left.owned.exceptions["hotel"].hosts == ("phone.example.org",)
    assert revoke("phone.example.org", owned=left.owned).owned == Owned()


def test_a_host_takes_the_connections_of_its_addresses_with_it() -> None:
    owned = Owned(exceptions={"h": NamedException("h", hosts=("a.example", "b.example"))})
    lists = {**LISTS, ListId(ListKind.HOST, "a.example"): space("203.0.113.50/32")}
    found = revoking(situation(owned, lists), Request(("a.example",)))
    assert found.owned.exceptions["h"].hosts == ("b.example",)
    assert found.revoked == space("203.0.113.50/32")


def test_an_address_that_the_rules_still_allow_is_reported() -> None:
    found = revoke("192.0.2.1", owned=hotel("192.0.2.1/32"))
    assert kinds(found) == [NoteKind.EXCEPTION_DELETED, NoteKind.STILL_ALLOWED]
    assert found.notes[1].data == {"exception": "trunk"}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("192.0.2.1", "The exception trunk contains this address: run 'geofence revoke trunk'."),
        ("203.0.113.99", "No exception contains this address; 'geofence why' shows what allows"),
        ("push.example", "exception push has the host push.example: run 'geofence revoke push'."),
        ("no.example", "No exception has the host no.example."),
        ("hotle", 'Unknown exception or group "hotle"; did you mean hotel?'),
    ],
)
def test_revoking_an_unknown_exception_is_refused(word: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        revoke("hotel", word, owned=hotel("203.0.113.7/32"))
    assert message in str(caught.value)


def test_an_exception_of_removed_services_can_be_revoked() -> None:
    owned = hotel("203.0.113.7/32", services=("fax",))
    assert not [e for e in situation(owned).policy.exceptions if e.name == "hotel"]
    assert revoke("hotel", owned=owned).owned == Owned()


def test_a_country_of_the_rules_is_blocked_and_its_connections_are_dropped() -> None:
    found = revoke(countries=("JP",))
    assert found.owned == Owned(countries={"JP": CountrySwitch("JP", allowed=False)})
    assert found.revoked == space("198.51.100.0/24")
    assert kinds(found) == [NoteKind.COUNTRY_REVOKED]
    again = revoke(countries=("JP",), owned=found.owned)
    assert (again.owned, kinds(again)) == (found.owned, [NoteKind.COUNTRY_NOT_ALLOWED])


def test_a_country_that_was_allowed_by_hand_is_forgotten() -> None:
    owned = Owned(countries={"US": CountrySwitch("US", True, ("sip",))})
    assert revoke(countries=("US",), owned=owned).owned == Owned()


@given(
    st.lists(prefix_sets(Family.IPV4), min_size=1, max_size=3), prefixes(Family.IPV4, shortest=1)
)
def test_no_exception_made_by_hand_has_an_address_that_was_revoked(
    held: list[PrefixSet], wanted: object
) -> None:
    made = {
        f"e{number}": NamedException(f"e{number}", prefixes=AddressSpace(ipv4=each))
        for number, each in enumerate(held)
        if each
    }
    gone = space(str(wanted))
    if not any(each.prefixes & gone for each in made.values()):
        return
    found = revoke(str(wanted), owned=Owned(exceptions=made))
    assert {name: each.prefixes for name, each in found.owned.exceptions.items()} == {
        name: each.prefixes - gone for name, each in made.items() if each.prefixes - gone
    }
