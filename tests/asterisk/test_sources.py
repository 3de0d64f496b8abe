"""Which files count: modules.conf, sorcery.conf, extconfig.conf, and pjsip_wizard.conf."""

from __future__ import annotations

import pytest

from geofence.asterisk.reader import reading_of
from geofence.asterisk.reading import WarningKind as Kind
from tests.asterisk.told import OPEN, UDP, peers, pjsip, ports, sockets, unseen, warned

M = "[modules]\n"
MODULES = {
    "no file": (None, True),
    "an empty file": ("", True),
    "autoload": (f"{M}autoload=yes\n", True),
    "noload": (f"{M}autoload=yes\nnoload=res_pjsip.so\n", False),
    "noload without an ending": (f"{M}autoload=yes\nnoload => res_pjsip\n", False),
    "noload after load": (f"{M}load=res_pjsip.so\nnoload=res_pjsip.so\n", False),
    "noload of another": (f"{M}autoload=yes\nnoload=res_pjsip_acl.so\n", True),
    "no autoload": (f"{M}autoload=no\n", False),
    "no autoload and load": (f"{M}autoload=no\nload=res_pjsip.so\n", True),
    "no autoload and require": (f"{M}autoload=no\nrequire = res_pjsip.so\n", True),
}


@pytest.mark.parametrize("case", MODULES)
def test_whether_modules_conf_loads_pjsip(case: str) -> None:
    text, wanted = MODULES[case]
    reading = pjsip(UDP, **({} if text is None else {"modules": text}))
    assert (OPEN in sockets(reading)) == wanted
    missing = [
        each.data["module"] for each in reading.warnings if each.kind is Kind.MODULE_NOT_LOADED
    ]
    assert ("res_pjsip" in missing) == (not wanted)


def test_without_its_module_there_is_no_rtp() -> None:
    assert pjsip(UDP, modules=f"{M}noload=res_rtp_asterisk.so\n").rtp is None


R = "[res_pjsip]\n"
AORS = "[x]\ntype=aor\ncontact=sip:a.example\n"


def test_sorcery_sends_transports_to_another_file() -> None:
    files = {
        "sorcery.conf": f"{R}transport=config,t.conf,criteria=type=transport\n",
        "pjsip.conf": UDP,
        "t.conf": "[b]\ntype=transport\nbind=0.0.0.0:5070\n",
    }
    reading = reading_of(files)
    assert sockets(reading) == {"sip 0.0.0.0 5070/udp v4"}
    assert "t.conf" in reading.files


def test_sorcery_without_criteria_takes_all_sections() -> None:
    files = {
        "sorcery.conf": f"{R}transport=config,t.conf\n",
        "t.conf": "[b]\nbind=0.0.0.0:5070\n[c]\nbind=0.0.0.0:5071\n",
    }
    assert sockets(reading_of(files)) == {"sip 0.0.0.0 5070/udp v4", "sip 0.0.0.0 5071/udp v4"}


def test_sorcery_may_name_a_file_and_a_database() -> None:
    sorcery = f"{R}aor=config,pjsip.conf,criteria=type=aor\naor=realtime,ps_aors\n"
    reading = pjsip(UDP + AORS, sorcery=sorcery)
    assert peers(reading) == {"a.example srv"}
    assert (unseen(reading), warned(reading)) == ({Kind.REALTIME}, {Kind.TRUNKS_IN_DATABASE})


def test_what_is_in_a_database_is_not_read_from_the_file() -> None:
    reading = pjsip(UDP + AORS, sorcery=f"{R}aor=realtime,ps_aors\n")
    assert peers(reading) == set()
    [each] = reading.unseen
    assert each.data == {"what": "aor", "table": "ps_aors"}


def test_a_cache_in_front_of_a_file_changes_nothing() -> None:
    sorcery = f"{R}aor/cache=memory_cache,maximum_objects=150\n"
    assert peers(pjsip(UDP + AORS, sorcery=sorcery)) == {"a.example srv"}


@pytest.mark.parametrize(
    ("kind", "section"),
    [
        ("identify", "res_pjsip_endpoint_identifier_ip"),
        ("registration", "res_pjsip_outbound_registration"),
    ],
)
def test_types_of_other_modules_have_their_own_sections(kind: str, section: str) -> None:
    text = f"{UDP}[x]\ntype={kind}\nendpoint=x\nmatch=192.0.2.1\n"
    reading = pjsip(text, sorcery=f"[{section}]\n{kind}=realtime,t\n")
    assert (peers(reading), unseen(reading)) == (set(), {Kind.REALTIME})
    assert unseen(pjsip(text, sorcery=f"{R}{kind}=realtime,t\n")) == set()


@pytest.mark.parametrize("name", ["rtp.conf", "http.conf", "iax.conf", "pjsip.conf"])
def test_a_file_that_a_database_replaces_does_not_count(name: str) -> None:
    files = {
        "pjsip.conf": UDP,
        "rtp.conf": "[general]\nrtpstart=10000\nrtpend=10100\n",
        "http.conf": "[general]\nenabled=yes\nbindaddr=0.0.0.0\n",
        "iax.conf": "",
        "extconfig.conf": f"[settings]\n{name} => odbc,asterisk,ast_config\n",
    }
    reading = reading_of(files)
    assert [(each.kind, each.data) for each in reading.unseen] == [
        (Kind.REALTIME, {"what": name, "table": "odbc,asterisk,ast_config"})
    ]
    assert name not in reading.files
    assert (reading.rtp is None) == (name == "rtp.conf")
    uses = {"http.conf": "http", "iax.conf": "iax", "pjsip.conf": "sip"}
    assert uses.get(name) not in {each.use for each in reading.listeners}
    assert Kind.NO_SIP_TRANSPORT not in warned(reading)


def test_peers_of_iax_in_a_database_are_named() -> None:
    reading = pjsip(UDP, iax="", extconfig="[settings]\niaxpeers => mysql,general,iax\n")
    assert [each.data["what"] for each in reading.unseen] == ["iaxpeers"]


W = "[w]\ntype=wizard\n"
TRUNK = f"{W}sends_registrations=yes\nremote_hosts=h.example:5061\n"
WIZARDS = {
    "a trunk": (TRUNK, {"h.example 5061"}),
    "two hosts": (f"{W}remote_hosts=a.example, b.example\n", {"a.example srv", "b.example srv"}),
    "the last hosts": (f"{W}remote_hosts=a.example\nremote_hosts=b.example\n", {"b.example srv"}),
    "an address": (f"{W}remote_hosts=192.0.2.1\n", {"192.0.2.1 any"}),
    "a phone": (f"{W}accepts_registrations=yes\naor/max_contacts=1\n", set()),
    "its own contact": (
        f"{W}accepts_registrations=yes\nremote_hosts=a.example\naor/contact=sip:b.example\n",
        {"b.example srv"},
    ),
    "its own match": (
        f"{W}remote_hosts=a.example\naor/contact=sip:a.example\nidentify/match=192.0.2.1\n",
        {"a.example srv", "192.0.2.1 any"},
    ),
    "no identify with registrations of others": (
        f"{W}accepts_registrations=yes\nremote_hosts=192.0.2.1:5061\n",
        {"192.0.2.1 5061"},
    ),
    "a proxy": (
        f"{W}remote_hosts=a.example\noutbound_proxy=sip:p.example\\;lr\n",
        {"a.example srv", "p.example srv"},
    ),
    "a pattern": (
        f"{W}remote_hosts=a.example\ncontact_pattern=sip:1@${{REMOTE_HOST}}:5099\n",
        {"a.example 5099", "a.example srv"},
    ),
    "a pattern of the server": (
        f"{TRUNK}server_uri_pattern=sip:${{REMOTE_HOST}}\\;transport=tls\n",
        {"h.example 5061"},
    ),
    "no name to log in with": (
        f"{TRUNK}sends_auth=yes\naccepts_registrations=yes\ncontact_pattern=\n",
        set(),
    ),
    "another case of the type": ("[w]\ntype=Wizard\nremote_hosts=a.example\n", set()),
    "a template alone": ("[w](!)\ntype=wizard\nremote_hosts=a.example\n", set()),
    "keys of endpoints are no hosts": (
        f"{W}accepts_registrations=yes\nendpoint/from_domain=a.example\n",
        set(),
    ),
}


@pytest.mark.parametrize("case", WIZARDS)
def test_wizards(case: str) -> None:
    text, wanted = WIZARDS[case]
    assert peers(pjsip(UDP, pjsip_wizard=text)) == wanted


def test_sources_of_a_wizards_trunk() -> None:
    [trunk] = pjsip(UDP, pjsip_wizard=TRUNK).trunks
    assert trunk.sources == (
        "wizard w aor contact",
        "wizard w registration server_uri",
        "wizard w identify match",
    )


def test_a_wizard_may_send_faxes_and_have_ports_of_its_own() -> None:
    text = (
        f"{TRUNK}endpoint/t38_udptl=yes\nendpoint/rtp_port_start=3000\nendpoint/rtp_port_end=4000\n"
    )
    reading = pjsip(UDP, pjsip_wizard=text)
    assert reading.udptl is not None
    assert [ports(each) for each in reading.rtp_more] == ["3000-4001"]


def test_wizards_that_are_not_loaded_do_not_count() -> None:
    modules = f"{M}noload=res_pjsip_config_wizard.so\n"
    assert peers(pjsip(UDP, pjsip_wizard=TRUNK, modules=modules)) == set()


def test_other_files_count_where_one_is_refused() -> None:
    reading = pjsip("[x\n", rtp="[general]\nrtpstart=10000\n", http="[general\n", iax="")
    assert reading.invalid == ("pjsip.conf", "http.conf")
    assert sockets(reading) == {"iax 0.0.0.0 4569/udp v4"}
    assert ports(reading.rtp) == "10000-31001"


def test_transports_in_a_database_are_not_denied() -> None:
    reading = pjsip(UDP, sorcery=f"{R}transport=realtime,ps_transports\n")
    assert (sockets(reading), unseen(reading)) == (set(), {Kind.REALTIME})
    assert warned(reading) == set()


def test_sorcery_may_select_by_another_key() -> None:
    files = {
        "sorcery.conf": f"{R}transport=config,pjsip.conf,criteria=kind=mine\n",
        "pjsip.conf": "[a]\nkind=mine\nbind=0.0.0.0:1\n[b]\nkind=other\nbind=0.0.0.0:2\n",
    }
    assert {each.port for each in reading_of(files).listeners} == {1}
