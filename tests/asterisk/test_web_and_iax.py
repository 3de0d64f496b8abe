"""http.conf and iax.conf: where Asterisk listens beside SIP."""

from __future__ import annotations

import pytest

from geofence.asterisk.reading import Reading
from geofence.asterisk.reading import WarningKind as Kind
from tests.asterisk.told import OPEN, UDP, peers, pjsip, sockets, unseen, warned


def web(text: str) -> Reading:
    return pjsip(UDP, http=text)


def iax(text: str, **more: str) -> Reading:
    return pjsip(UDP, iax=text, **more)


def beside_sip(reading: Reading) -> set[str]:
    return sockets(reading) - {OPEN}


G = "[general]\n"
ON = f"{G}enabled=yes\nbindaddr=0.0.0.0\n"
PEM = "tlscertfile=/etc/a.pem\n"
PLAIN = "http 0.0.0.0 8088/tcp v4"
HTTP = {
    "not enabled": (f"{G}bindaddr=0.0.0.0\n", set()),
    "enabled without an address": (f"{G}enabled=yes\n", set()),
    "enabled with an empty address": (f"{G}enabled=yes\nbindaddr=\n", set()),
    "enabled": (ON, {PLAIN}),
    "enabled in other words": (f"{G}Enabled=On\nBINDADDR=0.0.0.0\n", {PLAIN}),
    "disabled again": (f"{ON}enabled=no\n", set()),
    "the last address": (f"{ON}bindaddr=127.0.0.1\n", {"http 127.0.0.1 8088/tcp v4 hidden"}),
    "a port": (f"{ON}bindport=8080\n", {"http 0.0.0.0 8080/tcp v4"}),
    "a port in the address counts more": (
        f"{G}enabled=yes\nbindaddr=0.0.0.0:81\nbindport=82\n",
        {"http 0.0.0.0 81/tcp v4"},
    ),
    "a bad port": (f"{ON}bindport=http\n", {PLAIN}),
    "any IPv6 address is IPv4, too": (f"{G}enabled=yes\nbindaddr=::\n", {"http :: 8088/tcp v46"}),
    "the same in brackets": (f"{G}enabled=yes\nbindaddr=[::]:80\n", {"http :: 80/tcp v46"}),
    "one IPv6 address": (f"{G}enabled=yes\nbindaddr=::1\n", {"http ::1 8088/tcp v6 hidden"}),
    "TLS without a certificate": (f"{ON}tlsenable=yes\n", {PLAIN}),
    "TLS": (f"{ON}tlsenable=yes\n{PEM}", {PLAIN, "https 0.0.0.0 8089/tcp v4"}),
    "TLS keeps its port where http has another": (
        f"{ON}bindport=80\ntlsenable=yes\n{PEM}",
        {"http 0.0.0.0 80/tcp v4", "https 0.0.0.0 8089/tcp v4"},
    ),
    "TLS alone": (
        f"{G}tlsenable=yes\ntlsbindaddr=0.0.0.0\n{PEM}",
        {"https 0.0.0.0 8089/tcp v4"},
    ),
    "TLS where http is disabled": (
        f"{G}enabled=no\ntlsenable=yes\ntlsbindaddr=0.0.0.0:443\n{PEM}",
        {"https 0.0.0.0 443/tcp v4"},
    ),
    "TLS without any address": (f"{G}tlsenable=yes\n{PEM}", set()),
    "an address for TLS without TLS": (f"{G}tlsbindaddr=0.0.0.0:8089\n{PEM}", set()),
    "tlsbindport is nothing": (
        f"{ON}tlsenable=yes\ntlsbindport=9\n{PEM}",
        {PLAIN, "https 0.0.0.0 8089/tcp v4"},
    ),
    "older words": (
        f"{G}sslenable=yes\nsslbindaddr=0.0.0.0\nsslcert=/etc/a.pem\n",
        {"https 0.0.0.0 8089/tcp v4"},
    ),
    "the first section of the name": (f"{G}enabled=no\n{ON}", set()),
    "a template": ("[general](!)\nenabled=yes\nbindaddr=0.0.0.0\n", set()),
    "another section": (f"{ON}[post_mappings]\nbindaddr=127.0.0.1\n", {PLAIN}),
}


@pytest.mark.parametrize("case", HTTP)
def test_where_the_web_server_listens(case: str) -> None:
    text, wanted = HTTP[case]
    assert beside_sip(web(text)) == wanted


def test_why_the_web_server_does_not_listen() -> None:
    assert warned(web(f"{G}enabled=yes\n")) == {Kind.HTTP_WITHOUT_ADDRESS}
    assert warned(web(f"{ON}tlsenable=yes\n")) == {Kind.NO_CERTIFICATE}
    assert warned(web(f"{G}enabled=yes\nbindaddr=*\n")) == {Kind.VALUE_INVALID}


def test_an_address_that_is_not_known_is_named() -> None:
    reading = web(f"{G}enabled=yes\nbindaddr=pbx.example\n")
    assert beside_sip(reading) == {"http pbx.example 8088/tcp v46 ?"}
    assert unseen(reading) == {Kind.NAME_TO_RESOLVE}
    assert unseen(web(f"{G}enabled=yes\nbindaddr=${{IP}}\n")) == {Kind.PLACEHOLDER}


ANY = "iax 0.0.0.0 4569/udp v4"
IAX = {
    "an empty file": ("", {ANY}),
    "the sample": (f"{G}bandwidth=high\n[guest]\ntype=user\n", {ANY}),
    "an address": (f"{G}bindaddr=192.0.2.1\n", {"iax 192.0.2.1 4569/udp v4"}),
    "a port counts for the addresses after it": (
        f"{G}bindaddr=192.0.2.1\nbindport=5000\nbindaddr=192.0.2.2\n",
        {"iax 192.0.2.1 4569/udp v4", "iax 192.0.2.2 5000/udp v4"},
    ),
    "a port without an address": (f"{G}bindport=5000\n", {"iax 0.0.0.0 5000/udp v4"}),
    "a port in the address": (
        f"{G}bindport=5000\nbindaddr=192.0.2.1:6\n",
        {"iax 192.0.2.1 6/udp v4"},
    ),
    "a bad port": (f"{G}bindport=5000\nbindport=80\n", {ANY}),
    "a bad address": (f"{G}bindaddr=pbx.example\n", {ANY}),
    "both families by one address": (f"{G}bindaddr=::\n", {"iax :: 4569/udp v46"}),
    "both families by two": (f"{G}bindaddr=0.0.0.0\nbindaddr=::\n", {"iax :: 4569/udp v46"}),
    "two ports": (
        f"{G}bindaddr=::\nbindaddr=0.0.0.0:5000\n",
        {"iax :: 4569/udp v46", "iax 0.0.0.0 5000/udp v4"},
    ),
    "loopback": (f"{G}bindaddr=127.0.0.1\n", {"iax 127.0.0.1 4569/udp v4 hidden"}),
    "refused": ("[general\n", set()),
    "a missing include": (f"{G}#include iax_local.conf\n", set()),
}


@pytest.mark.parametrize("case", IAX)
def test_where_iax_listens(case: str) -> None:
    text, wanted = IAX[case]
    assert beside_sip(iax(text)) == wanted


def test_without_iax_conf_nothing_listens_for_iax() -> None:
    assert sockets(pjsip(UDP)) == {OPEN}


IAX_PEERS = {
    "a peer": ("[x]\ntype=peer\nhost=h.example\n", {"h.example 4569 iax"}),
    "a friend by its address": ("[x]\ntype=friend\nhost=192.0.2.1\n", {"192.0.2.1 4569 iax"}),
    "a port": ("[x]\ntype=peer\nhost=h.example\nport=4570\n", {"h.example 4570 iax"}),
    "a port in the host": ("[x]\ntype=peer\nhost=h.example:4571\n", {"h.example 4571 iax"}),
    "a phone": ("[x]\ntype=friend\nhost=dynamic\n", set()),
    "a user": ("[x]\ntype=user\nhost=h.example\n", set()),
    "a template": ("[x](!)\ntype=peer\nhost=h.example\n", set()),
    "a registration": (f"{G}register => u:p@h.example\n", {"h.example 4569 iax"}),
    "a registration at a port": (f"{G}register => u:p@h.example:4572/x\n", {"h.example 4572 iax"}),
    "SRV where it is asked for": (
        f"{G}srvlookup=yes\n[x]\ntype=peer\nhost=h.example\n",
        {"h.example srv iax"},
    ),
    "SRV is not asked for with a port": (
        f"{G}srvlookup=yes\n[x]\ntype=peer\nhost=h.example\nport=4570\n",
        {"h.example 4570 iax"},
    ),
}


@pytest.mark.parametrize("case", IAX_PEERS)
def test_peers_of_iax(case: str) -> None:
    text, wanted = IAX_PEERS[case]
    assert peers(iax(text)) == wanted


def test_iax_that_is_not_loaded_listens_nowhere() -> None:
    reading = iax(G, modules="[modules]\nautoload=yes\nnoload => chan_iax2.so\n")
    assert (beside_sip(reading), warned(reading)) == (set(), {Kind.MODULE_NOT_LOADED})
