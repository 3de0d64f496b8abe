"""Who the trunks are: hosts in identify, registration, contacts and outbound proxies."""

from __future__ import annotations

import pytest

from geofence.asterisk.reading import HostKind
from geofence.asterisk.reading import WarningKind as Kind
from tests.asterisk.told import UDP, peers, pjsip, sockets, unseen, warned

T = "[a]\ntype=transport\n"


def _registration(host: str, more: str = "") -> str:
    return f"[r]\ntype=registration\nserver_uri=sip:{host}\nclient_uri=sip:1@{host}\n{more}"


URIS = {
    "sip:h.example": {"h.example srv"},
    "sip:h.example:5061": {"h.example 5061"},
    "sip:user@h.example": {"h.example srv"},
    "sip:user:secret@h.example:5070": {"h.example 5070"},
    "sips:h.example": {"h.example srv"},
    "SIP:h.example": {"h.example srv"},
    "sip:h.example\\;transport=tcp\\;lr": {"h.example srv"},
    "sip:h.example:5070\\;lr?x=a@b": {"h.example 5070"},
    "sip:h.example.": {"h.example. srv"},
    "sip:192.0.2.9": {"192.0.2.9 any"},
    "sip:192.0.2.9:5060": {"192.0.2.9 5060"},
    "sip:[2001:DB8::9]:5060": {"2001:db8::9 5060"},
    "sip:[2001:db8::9]": {"2001:db8::9 any"},
    "<sip:1@h.example>": {"h.example srv"},
    "h.example": set(),
    "tel:+123": set(),
    "sip:": set(),
    "sip:a b": set(),
    "sip:h.example:99999": set(),
    "https://h.example": set(),
}


@pytest.mark.parametrize("uri", URIS)
def test_hosts_of_contacts(uri: str) -> None:
    reading = pjsip(f"{UDP}[x]\ntype=aor\ncontact={uri}\n")
    assert peers(reading) == URIS[uri]
    assert warned(reading) == (set() if URIS[uri] else {Kind.VALUE_INVALID})


def test_several_contacts_in_one_value() -> None:
    reading = pjsip("[x]\ntype=aor\ncontact=sip:a.example, sip:b.example:5061\n")
    assert peers(reading) == {"a.example srv", "b.example 5061"}


def test_where_hosts_stand() -> None:
    reading = pjsip(
        _registration("a.example", "outbound_proxy=sip:b.example\\;lr\n")
        + "[x]\ntype=aor\ncontact=sip:c.example\noutbound_proxy=sip:d.example\n"
        + "[x]\ntype=endpoint\noutbound_proxy=sip:e.example\n"
        + "[x]\ntype=identify\nendpoint=x\nmatch=f.example\n"
        + "[x]\ntype=acl\npermit=192.0.2.0/24\n"
        + "[x]\ntype=auth\nrealm=g.example\n"
    )
    assert {each.host: each.sources for each in reading.trunks} == {
        "a.example": ("registration r server_uri",),
        "b.example": ("registration r outbound_proxy",),
        "c.example": ("aor x contact",),
        "d.example": ("aor x outbound_proxy",),
        "e.example": ("endpoint x outbound_proxy",),
        "f.example": ("identify x match",),
    }


@pytest.mark.parametrize("option", ["server_uri", "client_uri"])
def test_a_registration_without_an_address_is_dropped(option: str) -> None:
    text = "\n".join(each for each in _registration("a.example").split("\n") if option not in each)
    reading = pjsip(UDP + text)
    assert (peers(reading), warned(reading)) == (set(), {Kind.OPTION_MISSING})


MATCH = {
    "192.0.2.1": {"192.0.2.1 any"},
    "192.0.2.1/32": {"192.0.2.1 any"},
    "192.0.2.77/24": {"192.0.2.0/24 any"},
    "192.0.2.0/255.255.255.0": {"192.0.2.0/24 any"},
    "192.0.2.1:5061": {"192.0.2.1 5061"},
    "2001:db8::/32": {"2001:db8::/32 any"},
    "2001:db8::1": {"2001:db8::1 any"},
    "[2001:db8::1]:5060": {"2001:db8::1 5060"},
    "::ffff:192.0.2.1": {"192.0.2.1 any"},
    "h.example": {"h.example srv"},
    "h.example:5061": {"h.example 5061"},
    "192.0.2.0/24,!192.0.2.128/25": {"192.0.2.0/24 any without 192.0.2.128/25"},
    "192.0.2.0/24,!192.0.2.1/32,!192.0.2.2/32": {
        "192.0.2.0/24 any without 192.0.2.1/32,192.0.2.2/32"
    },
    "192.0.2.128/25,!192.0.2.0/24": set(),
    "!192.0.2.128/25,192.0.2.0/24": {"192.0.2.0/24 any"},
    "192.0.2.0/24,!192.0.2.128/25,192.0.2.129": {
        "192.0.2.0/24 any without 192.0.2.128/25",
        "192.0.2.129 any",
    },
    "192.0.2.1,,": {"192.0.2.1 any"},
}


@pytest.mark.parametrize("match", MATCH)
def test_matches_of_an_identify(match: str) -> None:
    reading = pjsip(f"{UDP}[x]\ntype=identify\nendpoint=x\nmatch={match}\n")
    assert peers(reading) == MATCH[match]
    assert warned(reading) == set()


@pytest.mark.parametrize(
    "match",
    [
        "!10.1.2.3",
        "192.0.2.1 192.0.2.2",
        "10.0.0.0/33",
        "h.example/24",
        "a_b c",
        "192.0.2.1/x",
        "*",
    ],
)
def test_a_bad_match_drops_the_object_with_all_its_matches(match: str) -> None:
    reading = pjsip(f"{UDP}[x]\ntype=identify\nendpoint=x\nmatch=192.0.2.9\nmatch={match}\n")
    assert (peers(reading), warned(reading)) == (set(), {Kind.VALUE_INVALID})


def test_without_srv_lookups_a_name_is_only_a_name() -> None:
    text = "[x]\ntype=identify\nendpoint=x\nmatch=h.example\nsrv_lookups={}\n"
    assert peers(pjsip(text.format("no"))) == {"h.example any"}
    assert peers(pjsip(text.format("yes"))) == {"h.example srv"}


@pytest.mark.parametrize("missing", ["endpoint=x\n", "match=192.0.2.1\n"])
def test_an_identify_that_lacks_something_is_dropped(missing: str) -> None:
    text = "[x]\ntype=identify\nendpoint=x\nmatch=192.0.2.1\n".replace(missing, "")
    reading = pjsip(UDP + text)
    assert (peers(reading), warned(reading)) == (set(), {Kind.OPTION_MISSING})


def test_an_identify_by_a_header_names_no_host() -> None:
    reading = pjsip(f"{UDP}[x]\ntype=identify\nendpoint=x\nmatch_header=X-A: b\n")
    assert (peers(reading), warned(reading)) == (set(), set())


NEVER = {
    "0.0.0.0/0": Kind.TRUNK_IS_EVERYBODY,
    "0.0.0.0/1": Kind.TRUNK_IS_EVERYBODY,
    "0.0.0.0": Kind.TRUNK_IS_EVERYBODY,  # noqa: S104 - nobody binds it
    "::/0": Kind.TRUNK_IS_EVERYBODY,
    "0/0": Kind.TRUNK_IS_EVERYBODY,
    "192.0.2.7/0": Kind.TRUNK_IS_EVERYBODY,
    "0.0.0.0/0.0.0.0": Kind.TRUNK_IS_EVERYBODY,
    "127.0.0.1": Kind.TRUNK_IS_THIS_HOST,
    "127.0.0.0/8": Kind.TRUNK_IS_THIS_HOST,
    "127.8.0.0/16": Kind.TRUNK_IS_THIS_HOST,
    "::1": Kind.TRUNK_IS_THIS_HOST,
    "localhost": Kind.TRUNK_IS_THIS_HOST,
    "203.0.113.10": Kind.TRUNK_IS_THIS_HOST,
    "203.0.113.10/32": Kind.TRUNK_IS_THIS_HOST,
    "pbx.example": Kind.TRUNK_IS_THIS_HOST,
    "PBX.example.": Kind.TRUNK_IS_THIS_HOST,
    "192.0.2.40": Kind.TRUNK_IS_THIS_HOST,
}


@pytest.mark.parametrize("match", NEVER)
def test_what_is_never_a_trunk(match: str) -> None:
    reading = pjsip(
        f"[x]\ntype=identify\nendpoint=x\nmatch={match}\n[y]\ntype=transport\nbind=192.0.2.40\n"
        "external_signaling_address=203.0.113.10\nexternal_media_address=pbx.example\n"
    )
    assert (peers(reading), warned(reading)) == (set(), {NEVER[match]})


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "172.16.0.0/12", "192.168.0.1", "fd00::/64", "100.64.1.1"]
)
def test_private_trunks_are_trunks_and_are_reported(host: str) -> None:
    reading = pjsip(f"{UDP}[x]\ntype=identify\nendpoint=x\nmatch={host}\n")
    assert [each.host for each in reading.trunks] == [host]
    assert warned(reading) == {Kind.TRUNK_IS_PRIVATE}


def test_a_private_trunk_in_a_local_network_is_nothing_special() -> None:
    reading = pjsip(f"{UDP}local_net=10.0.0.0/8\n[x]\ntype=aor\ncontact=sip:1@10.1.1.1:5060\n")
    assert (peers(reading), warned(reading)) == ({"10.1.1.1 5060"}, set())


PLACEHOLDERS = {
    "bind": f"{T}bind=${{BIND}}\n",
    "protocol": f"{T}protocol=${{PROTO}}\nbind=0.0.0.0\n",
    "local_net": f"{UDP}local_net=${{NET}}\n",
    "external_media_address": f"{UDP}external_media_address=${{EXTERNAL_IP:-auto}}\n",
    "server_uri": _registration("${TRUNK_HOST}:5060"),
    "contact": "[x]\ntype=aor\ncontact=sip:${TRUNK_HOST}\n",
    "outbound_proxy": "[x]\ntype=endpoint\noutbound_proxy=sip:{{ proxy }}\n",
    "match": "[x]\ntype=identify\nendpoint=x\nmatch=$TRUNK_IP\n",
}


@pytest.mark.parametrize("option", PLACEHOLDERS)
def test_placeholders_are_named_and_never_resolved(option: str) -> None:
    reading = pjsip(PLACEHOLDERS[option])
    assert (peers(reading), reading.external, reading.local_nets) == (set(), (), ())
    assert [(each.kind, each.data["option"]) for each in reading.unseen] == [
        (Kind.PLACEHOLDER, option)
    ]
    assert warned(reading) <= {Kind.NO_SIP_TRANSPORT}


def test_a_placeholder_beside_an_address_leaves_the_address() -> None:
    reading = pjsip("[x]\ntype=identify\nendpoint=x\nmatch=192.0.2.1,${MORE}\n")
    assert peers(reading) == {"192.0.2.1 any"}


def test_a_bind_by_name_may_be_any_address() -> None:
    reading = pjsip(f"{T}bind=pbx.example:5070\n")
    assert sockets(reading) == {"sip pbx.example 5070/udp v46 ?"}
    assert unseen(reading) == {Kind.NAME_TO_RESOLVE}


def test_the_same_host_of_several_objects_is_one_trunk() -> None:
    reading = pjsip(_registration("h.example") + "[x]\ntype=aor\ncontact=sip:H.example\n")
    [trunk] = reading.trunks
    assert trunk.kind is HostKind.NAME
    assert trunk.sources == ("aor x contact", "registration r server_uri")


def test_ports_and_hosts_that_differ_are_different_trunks() -> None:
    reading = pjsip("[x]\ntype=aor\ncontact=sip:h.example,sip:h.example:5060,sip:192.0.2.1:5060\n")
    assert peers(reading) == {"h.example srv", "h.example 5060", "192.0.2.1 5060"}


def test_names_of_objects_are_compared_letter_by_letter() -> None:
    reading = pjsip("[A]\ntype=aor\ncontact=sip:a.example\n[a]\ntype=aor\ncontact=sip:b.example\n")
    assert peers(reading) == {"a.example srv", "b.example srv"}


def test_a_duplicate_drops_all_of_its_type_and_nothing_else() -> None:
    one = "[x]\ntype=aor\ncontact=sip:a.example\n"
    reading = pjsip(
        f"{one}{one}[y]\ntype=aor\ncontact=sip:b.example\n" + _registration("c.example")
    )
    assert peers(reading) == {"c.example srv"}
