from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.geoip.countries import countries, country_name
from geofence.policy.countries import _not_countries, country_code
from geofence.policy.mistakes import Mistake


def test_the_table_is_that_of_the_standard() -> None:
    table = countries().values()
    assert len(table) == 249
    assert all(re.fullmatch(r"[A-Z]{2}", country.code) for country in table)
    assert len({country.code3 for country in table}) == len({c.name for c in table}) == 249
    assert all(re.fullmatch(r"[A-Z]{3}", country.code3) for country in table)


def test_other_spellings_are_unique_and_differ_from_codes() -> None:
    words = [word for country in countries().values() for word in country.other_words]
    assert len(words) == len(set(words)) == 23
    assert not set(words) & set(countries())


@pytest.mark.parametrize(
    ("code", "name"),
    [("JP", "Japan"), ("jp", "Japan"), ("GB", "United Kingdom"), ("XX", "XX"), ("", "")],
)
def test_names(code: str, name: str) -> None:
    assert country_name(code) == name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("UK", "GB"),
        ("JPN", "JP"),
        ("deu", "DE"),
        ("japan", "JP"),
        ("Jappan", "JP"),
        ("united_states", "US"),
        ("PJ", "JP"),
        ("Turkey", "TR"),
        ("korea", "KR"),
        (" jp ", "JP"),
        ("日本", "JP"),
    ],
)
def test_the_nearest_country_is_suggested(text: str, code: str) -> None:
    with pytest.raises(Mistake) as caught:
        country_code(text)
    assert caught.value.guesses == (f'"{code}" ({country_name(code)})',)


@given(st.text(max_size=10))
def test_a_code_is_one_of_the_table_or_a_mistake(text: str) -> None:
    try:
        code = country_code(text)
    except Mistake:
        assert text.upper() not in countries() or not text.isascii()
    else:
        assert code == text.upper()


def test_letters_that_only_look_right_in_upper_case() -> None:
    with pytest.raises(Mistake):
        country_code("ß")  # in upper case SS, South Sudan


@pytest.mark.parametrize("text", [*_not_countries(), " eu ", "ap"])
def test_codes_that_are_not_countries_get_no_suggestion(text: str) -> None:
    with pytest.raises(Mistake, match="is not a country but ") as caught:
        country_code(text)
    assert caught.value.guesses == ()
