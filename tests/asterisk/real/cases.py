"""Small configurations for what the corpus lacks: one trap of Asterisk's grammar after another.

In each file that Asterisk does not refuse whole, the ports tell which lines counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus"


@dataclass(frozen=True)
class Case:
    """A configuration."""

    name: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """Of one that is not in the corpus."""
    names: frozenset[str] = frozenset()
    """Host names that are known to the name server."""
    dropped: frozenset[str] = frozenset()
    """Hosts of objects that Asterisk drops because a name in them is not known."""

    def directory(self, place: Path) -> Path:
        """Return its directory, made in a place if it is not one of the corpus."""
        if not self.files:
            return CORPUS / self.name
        for name, text in self.files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return place


def _udp(name: str, port: int, more: str = "") -> str:
    """Return a transport."""
    return f"[{name}]\ntype=transport\nbind=0.0.0.0:{port}\n{more}"


def _pjsip(*parts: str, **files: str | bytes) -> dict[str, str | bytes]:
    """Return files: ``pjsip.conf`` from parts, and others, whose names have no suffix here."""
    return {"pjsip.conf": "".join(parts), **{f"{k}.conf": v for k, v in files.items()}}


def _inner(text: str | bytes) -> dict[str, str | bytes]:
    """Return a ``pjsip.conf`` that includes a file, with a transport before and after."""
    after = _udp("after", 5071)
    return _pjsip(_udp("before", 5070), "#include inner.conf\n", after, inner=text)


def _globbed(*texts: str | bytes) -> dict[str, str | bytes]:
    """Return a ``pjsip.conf`` that includes several files by a glob, and ends."""
    files: dict[str, str | bytes] = {f"d/{i}.conf": text for i, text in enumerate(texts)}
    return {"pjsip.conf": _udp("before", 5070) + "#include d/*.conf\n", **files}


GRAMMAR: dict[str, dict[str, str | bytes]] = {
    "templates": _pjsip(
        "[t](!)\ntype=transport\nbind=0.0.0.0:5060\n",
        "[a](t)\nbind=0.0.0.0:5070\n[b] (t)\nbind=0.0.0.0:5071\n[c](T)\nBind => 0.0.0.0:5072\n",
        "   [d](t)\n   bind = 0.0.0.0:5073\n[e]]\ntype=transport\nbind=0.0.0.0:5074\n",
        "[f]text(t)\nbind=0.0.0.0:5075\n",
    ),
    "template-list-with-a-space": _pjsip(
        "[t1](!)\ntype=transport\n[t2](!)\nasync_operations=2\n",
        "[a](t1, t2)\nbind=0.0.0.0:5070\n",
    ),
    "template-list": _pjsip(
        "[t1](!)\ntype=transport\nbind=0.0.0.0:5060\n[t2](!)\nbind=0.0.0.0:5061\n",
        "[a](t1,t2)\n[b](t2,t1)\nbind=0.0.0.0:5070\n",
    ),
    "addition-to-a-template": _pjsip("[t](!)\ntype=transport\n[t](+)\nbind=0.0.0.0:5070\n"),
    "addition-to-nothing": _pjsip(_udp("a", 5070), "[x](+)\nbind=0.0.0.0:5071\n"),
    "additions": _pjsip(
        _udp("a", 5070), "[a]\ntype=aor\ncontact=sip:198.51.100.1\n[a](+)\nbind=0.0.0.0:5071\n"
    ),
    "comments": _pjsip(
        _udp("a", 5070, ";-- [a]\nbind=0.0.0.0:1\n--;bind=0.0.0.0:5071\n"),
        ";--- no block\n",
        _udp("b", 5072, ";--;\nbind=0.0.0.0:5073\n--;\n"),
        ";====--;\n",
        "[c]\ntype=transport\nbind=0.0.0.0:5074;note\n",
        "[d]\ntype=transport\nbind=0.0.0.0:5075#x\n",
        "[e]\ntype=transport\nbind=0.0.0.0:5076 ;-- a\nbind=0.0.0.0:5077 --;\n",
    ),
    "end-of-a-block-that-did-not-begin": _pjsip(_udp("a", 5070), "--;\n", _udp("b", 5071)),
    "block-without-end": _pjsip(_udp("a", 5070), ";--\n", _udp("b", 5071)),
    "include-without-match": _pjsip(_udp("a", 5070), "#include none/*.conf\n"),
    "tryinclude-without-match": _pjsip(
        _udp("a", 5070), "#tryinclude none/*.conf\n#other\n", _udp("b", 5071)
    ),
    "include-of-a-folder": {"d/x.conf": "", "pjsip.conf": _udp("a", 5070) + "#include d\n"},
    "include-spellings": _pjsip(
        '#INCLUDE "b.conf"\n#include <c.conf>\n#include {d,e}.conf\n#include f.conf\n',
        b=_udp("b", 5071),
        c=_udp("c", 5072),
        d=_udp("d", 5073),
        e=_udp("e", 5074),
        f="",
    ),
    "keys-after-an-include": _pjsip(
        _udp("a", 5070), "#include b.conf\nbind=0.0.0.0:5072\n", b=_udp("b", 5071)
    ),
    "keys-at-the-head-of-an-included-file": _pjsip(
        _udp("a", 5070),
        "#include b.conf\n#include c.conf\n",
        b=_udp("b", 5071),
        c="bind=0.0.0.0:5072\n",
    ),
    "keys-at-the-head-of-a-globbed-file": _globbed(
        _udp("b", 5071), "bind=0.0.0.0:5072\n", "bind=0.0.0.0:5073\n" + _udp("c", 5074)
    ),
    "error-in-an-included-file": _inner(_udp("b", 5072) + "[c\n" + _udp("d", 5073)),
    "unknown-template-in-an-included-file": _inner(
        _udp("b", 5072) + "[c](none)\nbind=0.0.0.0:1\n" + _udp("d", 5073)
    ),
    "missing-file-in-an-included-file": _inner(
        _udp("b", 5072) + "#include none.conf\n" + _udp("d", 5073)
    ),
    "error-in-a-globbed-file": _globbed(
        _udp("b", 5071), _udp("c", 5072) + "[d\n" + _udp("e", 5073), _udp("f", 5074)
    ),
    "block-into-the-next-globbed-file": _globbed(
        _udp("b", 5071) + ";--\n", _udp("c", 5072) + "--;\n" + _udp("d", 5073)
    ),
    "marks-of-globbed-files": _globbed(
        b"\xef\xbb\xbf" + _udp("b", 5071).encode(),
        b"\xef\xbb\xbf[c]\ntype=transport\nbind=0.0.0.0:5072\n",
    ),
    "long-lines": _pjsip(
        _udp("a", 5070),
        _udp("b", 5071, f"bind=0.0.0.0:5072{' ' * 9000}\n"),
        "[x]\ntype=identify\nendpoint=x\nmatch=198.51.100.1\n",
        f"match={','.join(['198.51.100.2'] * 700)}\n[x]\ntype=endpoint\n",
    ),
}
"""What decides which lines count, and in which object."""

OBJECTS: dict[str, dict[str, str | bytes]] = {
    "types": _pjsip(
        _udp("a", 5070, "type=aor\n"),
        "[t](!)\ntype=aor\n[b](t)\ntype=transport\nbind=0.0.0.0:5071\n",
        "[c]\nTYPE=transport\nBIND=0.0.0.0:5072\n[d]\ntype=Transport\nbind=0.0.0.0:5073\n",
    ),
    "unknown-options": _pjsip(
        _udp("a", 5070, "localnet=10.0.0.0/8\n"),
        _udp("b", 5071, "external_signaling_hostname=pbx.example.net\n"),
        _udp("c", 5072, "external_media_address=203.0.113.10\n"),
    ),
    "binds": _pjsip(
        "[a]\ntype=transport\nbind=5063\n[b]\ntype=transport\nbind=*:5065\n",
        "[c]\ntype=transport\nbind=\n[d]\ntype=transport\n",
        "[f]\ntype=transport\nprotocol=tls\nbind=0.0.0.0\n",
        "cert_file=/etc/ast.pem\npriv_key_file=/etc/ast.pem\n",
        "[g]\ntype=transport\nprotocol=tcp\nbind=[::]\n[h]\ntype=transport\nbind=10.20.30.10:5068\n",
        "[i]\ntype=transport\nprotocol=flow\n",
        "[j]\ntype=transport\nprotocol=tls\nbind=0.0.0.0:5067\n",
    ),
    "twice-the-same-address": _pjsip(_udp("a", 5070), _udp("b", 5070), _udp("c", 5071)),
    "twice-the-same-transport": _pjsip(
        _udp("a", 5070), _udp("a", 5071, "local_net=10.0.0.0/8\n"), _udp("c", 5072)
    ),
    "local-nets": _pjsip(
        _udp("a", 5070, "local_net=10.1.2.3/8,192.168.1.0/255.255.255.0\nlocal_net=10.9.9.9\n"),
        _udp("b", 5071, "local_net=172.16.0.0/12\nlocal_net=\nlocal_net=172.31.0.0/16\n"),
        "[t](!)\nlocal_net=100.64.0.0/10\n",
        "[d](t)\ntype=transport\nbind=0.0.0.0:5073\nlocal_net=fd00::/8\n",
        # The last one: what it has of the list, the next transport would get (22.10.1).
        _udp("c", 5072, "local_net=192.0.2.0/24, 198.51.100.0/24\n"),
    ),
    "matches": _pjsip(
        "[e]\ntype=endpoint\n",
        *(
            f"[i{number}]\ntype=identify\nendpoint=e\n{match}\n"
            for number, match in enumerate(
                (
                    "match=198.51.100.1 , 198.51.100.2",
                    "match=198.51.100.3\nmatch+=,198.51.100.4",
                    "match=198.51.100.5\nmatch+= 198.51.100.6",
                    "match=198.51.100.7,!198.51.100.8",
                    "match=198.51.101.0/24,!198.51.101.8/32",
                    "match=unknown.example\nmatch=198.51.100.9",
                    "match=known.example:5061",
                    "match=198.51.102.7/255.255.255.0",
                    "match=known.example",
                    "match=2001:db8:1::/48,2001:db8:2::5",
                    "match_header=X: y",
                )
            )
        ),
    ),
    "duplicate-identifies": _pjsip(
        "[e]\ntype=endpoint\n",
        "[i]\ntype=identify\nendpoint=e\nmatch=198.51.100.1\n",
        "[i]\ntype=identify\nendpoint=e\nmatch=198.51.100.2\n",
        "[j]\ntype=identify\nendpoint=e\nmatch=198.51.100.3\n",
    ),
    "addresses-of-peers": _pjsip(
        # Without one for its protocol, a registration is dropped.
        "[tls]\ntype=transport\nprotocol=tls\nbind=0.0.0.0:5061\n",
        "[a]\ntype=aor\ncontact=sip:1@a.example,sips:b.example:5071\n",
        "[b]\ntype=aor\ncontact=c.example\n[c]\ntype=aor\ncontact=tel:123\n",
        "[d]\ntype=aor\ncontact=sip:[2001:db8::7]:5080\\;transport=tcp\n",
        "[r]\ntype=registration\nclient_uri=sip:x@r.example\n",
        "server_uri=sip:r.example.:5080\\;transport=tls\noutbound_proxy=sip:p.example\\;lr\n",
        "[q]\ntype=registration\nclient_uri=sip:x@q.example\nserver_uri=q.example\n",
        "[e]\ntype=endpoint\naors=a\noutbound_proxy=sip:o.example:5090\\;lr\n",
        "[f]\ntype=endpoint\naors=a\noutbound_proxy=g.example\n",
    ),
    "own-ranges": _pjsip(
        "[a]\ntype=endpoint\nrtp_port_start=20000\nrtp_port_end=20101\n",
        "[b]\ntype=endpoint\nrtp_port_start=21000\n",
        "[c]\ntype=endpoint\nrtp_port_start=100\nrtp_port_end=200\n",
        "[d]\ntype=endpoint\nt38_udptl=yes\n",
    ),
    "wizards": _pjsip(
        _udp("a", 5070),
        pjsip_wizard=(
            "[a]\ntype=wizard\nremote_hosts=198.51.100.1\nremote_hosts=198.51.100.2\n"
            "[b]\ntype=wizard\nremote_hosts=198.51.100.3\naccepts_registrations=yes\n"
            "[c]\ntype=wizard\nremote_hosts=198.51.100.4,c.example:5080\nsends_registrations=yes\n"
            "sends_auth=yes\noutbound_auth/username=c\n"
            "[d]\ntype=wizard\nremote_hosts=198.51.100.5\nidentify/match=198.51.100.6\n"
            "[e]\ntype=wizard\nremote_hosts=198.51.100.7\naor/contact=sip:198.51.100.8\n"
            "[f]\ntype=Wizard\nremote_hosts=198.51.100.9\n"
            "[g]\ntype=wizard\nremote_hosts=198.51.100.10\nsends_line_with_registrations=yes\n"
            "sends_registrations=yes\n"
            "[h]\ntype=wizard\nremote_hosts=h.example\noutbound_proxy=sip:p.example\\;lr\n"
        ),
    ),
    "objects-of-another-file": _pjsip(
        _udp("a", 5070),
        sorcery="[res_pjsip]\ntransport=config,other.conf,criteria=type=transport\n",
        other=_udp("b", 5071),
    ),
    "objects-of-a-database": _pjsip(
        _udp("a", 5070),
        sorcery="[res_pjsip]\ntransport=realtime,ps_transports\n",
        extconfig="[settings]\nps_transports => odbc,asterisk\n",
    ),
}
"""Which objects count, and what they open and name."""

OTHER_FILES: dict[str, dict[str, str | bytes]] = {
    "values-below-what-may-be": {
        "rtp.conf": "[general]\nrtpstart=100\nrtpend=2000\n",
        "http.conf": "[general]\nenabled=yes\nbindport=8090\n",
        "iax.conf": "[general]\nbindport=4570\nbindaddr=0.0.0.0\nbindaddr=10.20.30.10:4571\n",
        "udptl.conf": "[general]\nudptlstart=x\nudptlend=4100\n",
    },
    "values-above-what-may-be": {
        "rtp.conf": "[general]\nrtpstart=60000\nrtpend=70000\n",
        "http.conf": "[general]\nenabled=yes\nbindaddr=10.20.30.10:8091\nbindport=8090\n",
        "iax.conf": "[general]\nbindaddr=10.20.30.10\nbindport=4570\nbindaddr=127.0.0.1\n",
        "udptl.conf": "[general]\nudptlstart=5000\nudptlend=4000\n",
    },
    "start-above-the-end": {
        "rtp.conf": "[general]\nrtpstart=12000\nrtpend=11000\n",
        "http.conf": "[general]\ntlsbindaddr=0.0.0.0:8444\ntlscertfile=/etc/ast.pem\n",
        "iax.conf": "[general\nbindaddr=0.0.0.0\n",
        "udptl.conf": "[general]\nudptlstart=4101\nudptlend=4201\nuse_even_ports=yes\n",
    },
    "two-general-sections": {
        "rtp.conf": "[general]\nrtpstart=12000\n[general]\nrtpend=13000\nrtpstart=12500\n",
        "http.conf": "[general]\nenabled=no\n[general]\nenabled=yes\nbindaddr=0.0.0.0\n",
        "modules.conf": "[modules]\nautoload=yes\nnoload => chan_iax2.so\n",
        "iax.conf": "[general]\nbindaddr=0.0.0.0\n",
    },
    "general-as-a-template": {
        "rtp.conf": "[general](!)\nrtpstart=12000\nrtpend=13000\n",
        "http.conf": "[general]\nenabled=yes\nbindaddr=0.0.0.0\ntlsenable=yes\n"
        "tlscertfile=/etc/ast.pem\n",
        "iax.conf": "[general]\n[p]\ntype=peer\nhost=iax.example\nport=4580\n"
        "[q]\ntype=friend\nhost=dynamic\n[u]\ntype=user\nhost=198.51.100.9\n",
    },
    "text-for-a-number": {
        "rtp.conf": "[general]\nrtpstart=many\nrtpend=more\nstunaddr=stun.example\n",
        "http.conf": "[general]\nenabled=yes\nbindaddr=127.0.0.1\nsslenable=yes\n"
        "sslbindaddr=0.0.0.0\nsslbindport=8445\nsslcert=/etc/ast.pem\n",
    },
    "tls-without-a-certificate": {
        "rtp.conf": "[general]\nrtpstart=12000\n",
        "http.conf": "[general]\nenabled=yes\nbindaddr=::\ntlsenable=yes\ntlsbindaddr=0.0.0.0\n",
        "pjsip.conf": "[w]\ntype=transport\nprotocol=ws\n[x]\ntype=transport\nprotocol=wss\n"
        "bind=0.0.0.0\n",
    },
}
"""Ports of RTP, of Asterisk's web server, of IAX and of fax; one line of each a configuration."""

_KNOWN = frozenset({"known.example", "c.example", "h.example", "iax.example"})
_DROPPED = frozenset({"unknown.example", "198.51.100.9"})


@cache
def cases() -> tuple[Case, ...]:
    """Return all configurations: the corpus, and those above."""
    return (*_of_the_corpus(), *(_own(n, f) for n, f in (GRAMMAR | OBJECTS | OTHER_FILES).items()))


def _own(name: str, files: Mapping[str, str | bytes]) -> Case:
    return Case(name, files, _KNOWN, _DROPPED if name == "matches" else frozenset())


def _of_the_corpus() -> list[Case]:
    return [
        Case(path.parent.name, names=_names(path))
        for path in sorted(CORPUS.glob("*/expected.json"))
    ]


def _names(expected: Path) -> frozenset[str]:
    """Return the host names in what is to be read of a configuration."""
    all_of_it = json.loads(expected.read_text(encoding="utf-8"))
    hosts = [each["host"] for part in ("trunks", "stun", "turn") for each in all_of_it[part]]
    return frozenset(host for host in hosts if re.fullmatch(r"[a-z][\w.-]+", host))
