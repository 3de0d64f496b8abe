from __future__ import annotations

from geofence.model.policy import Origin
from tests.policy.rules import complaints, policy

SERVICE = '[service.sip]\nports = ["5060/udp"]\n'


def test_a_later_file_adds_tables_and_keys() -> None:
    both = policy(SERVICE, '[service.sip]\ncountries = ["de"]\n[service.web]\nports = ["80/tcp"]')
    assert [(str(s.ports[0]), s.countries) for s in both.services] == [
        ("5060/udp", ("DE",)),
        ("80/tcp", None),
    ]


def test_a_later_value_replaces_an_earlier_one_entirely() -> None:
    both = policy('[allow]\ncountries = ["JP", "US"]', '[allow]\ncountries = ["DE"]')
    assert both.countries == ("DE",)


def test_a_table_says_where_it_was_written_to_last() -> None:
    both = policy(
        '[exception.a]\nhosts = ["a.example"]\n\n[exception.b]\nhosts = ["b.example"]\n',
        "# the operator's\n[exception.b]\nenabled = false\n",
    )
    assert both.origins == {
        "exception.a": Origin("1.toml", 1),
        "exception.b": Origin("2.toml", 2),
    }


def test_origins_know_every_way_to_write_a_table() -> None:
    rules = policy(
        """\
        backend = "auto"
        boot = { without_ruleset = "open" }
        exception.a.prefixes = ["192.0.2.1"]

        [exception.b]
        prefixes = ["192.0.2.2"]

        [guard.shrink]
        country = 5
        """
    )
    lines = {name: origin.line for name, origin in rules.origins.items()}
    assert lines == {"backend": 1, "boot": 2, "exception.a": 3, "exception.b": 5, "guard": 8}


def test_url_and_urls_override_one_another() -> None:
    one = '[blocklist.x]\nurl = "https://a.example/"\n'
    several = '[blocklist.x]\nurls = ["https://b.example/", "https://c.example/"]\n'
    assert policy(one, several).blocklists[0].urls == ("https://b.example/", "https://c.example/")
    assert policy(several, one).blocklists[0].urls == ("https://a.example/",)


def test_a_wrong_value_that_is_overridden_does_no_harm() -> None:
    assert policy('[allow]\ncountries = ["XX"]', '[allow]\ncountries = ["JP"]').countries == ("JP",)


def test_a_mistake_is_reported_from_the_file_it_is_in() -> None:
    [line] = complaints(SERVICE, '\n[service.sip]\ncountries = [\n  "JP",\n  "XX"\n]\n')
    assert line.startswith('2.toml:5: service.sip.countries: unknown country "XX"')


def test_a_table_replaced_by_something_else_is_a_mistake_of_the_later_file() -> None:
    [line] = complaints(SERVICE, 'service = "sip"')
    assert line == '2.toml:1: service: found "sip"; expected the table [service]'


def test_all_invalid_toml_files_are_reported_alone() -> None:
    lines = complaints("a = ", '[allow]\ncountries = ["XX"]', "[b\n")
    assert [line.split(":")[0] for line in lines] == ["1.toml", "3.toml"]
