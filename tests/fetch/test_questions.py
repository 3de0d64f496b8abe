"""Questions to a real name server, which lies, is slow, or sends nonsense."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from geofence.errors import ListError
from geofence.fetch import questions
from geofence.fetch.questions import ask_system
from geofence.fetch.records import Records, RecordType
from geofence.lab.host import Host
from tests.support.name_server import NameServer

NAME = "sip.provider.net"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host that asks the name server on its loopback."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\nsearch lan\noptions timeout:1\n")
    monkeypatch.setattr(questions, "RESOLVER_FILE", resolver)
    monkeypatch.setattr(questions, "HOSTS_FILE", tmp_path / "hosts")
    with Host("asker") as made:
        made.run("ip", "link", "set", "lo", "up")
        yield made


@pytest.fixture
def names(host: Host) -> Iterator[NameServer]:
    with NameServer(host) as server:
        server.addresses[NAME] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        yield server


def ask(
    host: Host, name: str = NAME, kind: RecordType = RecordType.A, seconds: float = 3
) -> Records:
    with host.entered():
        return ask_system(name, kind, seconds)


def test_records_with_their_time_to_live(host: Host, names: NameServer) -> None:
    assert ask(host) == Records(("192.0.2.1", "192.0.2.2"), 5)
    assert ask(host, kind=RecordType.AAAA) == Records(("2001:db8::1",), 5)
    names.services["_sip._udp.provider.net"] = [f"10 5 5060 {NAME}.", "20 5 5060 b.provider.net."]
    srv = ask(host, "_sip._udp.provider.net", RecordType.SRV)
    assert set(srv.texts) == {NAME, "b.provider.net"}
    names.services["_sip._udp.provider.net"] = ["0 0 0 ."]
    assert ask(host, "_sip._udp.provider.net", RecordType.SRV).texts == ("",)


def test_the_shortest_time_to_live_of_a_chain_counts(host: Host, names: NameServer) -> None:
    names.aliases = {"a.provider.net": "b.provider.net", "b.provider.net": NAME}
    names.ttls = {"a.provider.net": 300, "b.provider.net": 30, NAME: 3_600}
    assert ask(host, "a.provider.net") == Records(("192.0.2.1", "192.0.2.2"), 30)


def test_a_name_without_records_and_one_that_does_not_exist_are_no_failures(
    host: Host, names: NameServer
) -> None:
    names.addresses["four.provider.net"] = ["192.0.2.4"]
    assert ask(host, "four.provider.net", RecordType.AAAA) == Records()
    assert ask(host, "nowhere.provider.net") == Records()


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"])
def test_a_server_that_cannot_tell_is_a_failure(host: Host, names: NameServer, code: str) -> None:
    names.codes[NAME] = code
    assert ask(host) == Records(failure=code)


def test_a_loop_of_aliases_is_a_failure(host: Host, names: NameServer) -> None:
    names.aliases = {"a.provider.net": "b.provider.net", "b.provider.net": "a.provider.net"}
    assert ask(host, "a.provider.net").failure == "its CNAME records form a loop or are too many"
    chain = [f"{n}.provider.net" for n in range(30)]
    names.aliases = dict(zip(chain, [*chain[1:], NAME], strict=True))
    assert ask(host, chain[0]).failure == "its CNAME records form a loop or are too many"
    assert ask(host, chain[-1]).texts


def test_a_truncated_answer_is_asked_for_by_tcp(host: Host, names: NameServer) -> None:
    names.addresses[NAME] = [f"192.0.2.{n}" for n in range(60)]
    assert len(ask(host).texts) == 60
    assert names.by_tcp == [NAME]


def test_forged_answers_are_ignored(host: Host, names: NameServer) -> None:
    names.forged[NAME] = "203.0.113.66"
    assert ask(host) == Records(("192.0.2.1", "192.0.2.2"), 5)
    names.silent.add(NAME)
    assert ask(host, seconds=1.5) == Records(failure="no answer in time")


def test_silence_ends_in_time(host: Host, names: NameServer) -> None:
    names.silent.add(NAME)
    began = monotonic()
    assert ask(host, seconds=0.7).failure == "no answer in time"
    assert monotonic() - began < 3


def test_a_slow_answer_counts(host: Host, names: NameServer) -> None:
    names.delays[NAME] = 0.5
    assert ask(host).texts


def test_nobody_who_listens_is_reported_at_once(host: Host) -> None:
    began = monotonic()
    assert ask(host, seconds=30).failure == "Connection refused"
    assert monotonic() - began < 10


@pytest.mark.usefixtures("names")
def test_the_next_server_is_asked(host: Host) -> None:
    questions.RESOLVER_FILE.write_text("nameserver 127.0.0.9\nnameserver 127.0.0.1\n")
    assert ask(host, seconds=10).texts


def test_the_hosts_file_comes_first(host: Host, names: NameServer) -> None:
    questions.HOSTS_FILE.write_text(f"198.51.100.7 {NAME}\n")
    assert ask(host) == Records(("198.51.100.7",))
    assert names.asked(NAME) == 0
    assert ask(host, kind=RecordType.AAAA) == Records(("2001:db8::1",), 5)


def test_only_names_without_a_dot_are_searched_for(host: Host, names: NameServer) -> None:
    names.addresses |= {"pbx.lan": ["192.168.1.2"], "sip.provider.com.lan": ["192.168.1.3"]}
    assert ask(host, "pbx").texts == ("192.168.1.2",)
    assert ask(host, "sip.provider.com") == Records()


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example", "\udc80"])
def test_what_cannot_be_a_name(host: Host, name: str) -> None:
    with pytest.raises(ListError, match="cannot be looked up"):
        ask(host, name)
