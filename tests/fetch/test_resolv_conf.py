from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geofence.fetch.resolv_conf import (
    ResolverConfig,
    hosts_addresses,
    names_to_ask,
    read_config,
)
from geofence.model.prefixes import Family


def test_servers_search_list_and_options_are_read() -> None:
    text = """\
# by hand
nameserver 192.0.2.53
nameserver fe80::1%eth0 ; the router
nameserver dns.example
nameserver
search Office.Example. example
options ndots:2 timeout:1 rotate attempts:x
"""
    assert read_config(text) == ResolverConfig(
        ("192.0.2.53", "fe80::1%eth0"), ("office.example", "example"), 2, 1.0, True
    )


def test_without_a_server_the_local_one_is_asked() -> None:
    assert read_config("") == ResolverConfig(("127.0.0.1",))
    assert read_config("domain example.\n").search == ("example",)


def test_absurd_numbers_are_bounded() -> None:
    config = read_config("options ndots:999 timeout:99999\n")
    assert (config.dots, config.seconds) == (15, 30.0)
    assert read_config("options timeout:0 ndots:-1\n") == read_config("options timeout:1\n")
    many = "".join(f"nameserver 192.0.2.{n}\n" for n in range(9))
    assert len(read_config(many).servers) == 3


def test_no_search_domain_takes_the_place_of_a_public_name() -> None:
    config = ResolverConfig(search=("office.example", "example"))
    assert names_to_ask("sip.provider.net", config) == ("sip.provider.net",)
    assert names_to_ask("pbx", config) == ("pbx.office.example", "pbx.example", "pbx")
    cluster = ResolverConfig(search=("voip.svc.cluster.local",), dots=5)
    assert names_to_ask("pbx.voip", cluster) == ("pbx.voip", "pbx.voip.voip.svc.cluster.local")


def test_the_hosts_file_gives_addresses_of_both_families() -> None:
    text = """\
127.0.0.1 localhost
192.0.2.7\tPush.Example push  # the old one
#192.0.2.8 push.example
2001:db8::7 push.example.
192.0.2.9 push.example
192.0.2 push.example
fe80::1%lo push.example
"""
    assert hosts_addresses(text, "push.example") == {
        Family.IPV4: ("192.0.2.7", "192.0.2.9"),
        Family.IPV6: ("2001:db8::7",),
    }
    assert hosts_addresses(text, "example") == {Family.IPV4: (), Family.IPV6: ()}


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert read_config(text).servers
    assert read_config(f"options {text}\nnameserver {text}\nsearch {text}").servers
    assert set(hosts_addresses(text, "push.example")) == set(Family)
