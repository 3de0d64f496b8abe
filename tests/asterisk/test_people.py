"""Contacts and calls from what Asterisk's console says; ``said`` was recorded with Asterisk 22."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.asterisk.console import RegisteredContact, ask, parse_contacts
from geofence.asterisk.people import Call, Contact, calls, contacts
from geofence.errors import BackendError
from geofence.model.address import Address

SAID = Path(__file__).parent / "said"
BRIDGE = "b435ac3f-0302-44bb-91ef-731dec0b861f"


def said(name: str) -> str:
    return (SAID / f"{name}.txt").read_text("utf-8")


def contact(name: str, address: str) -> Contact:
    return Contact(name, name, Address.parse(address))


def test_registered_contacts_and_static_ones_by_address() -> None:
    assert contacts(parse_contacts(said("registrar")), said("contacts")) == (
        contact("2001", "133.1.2.3"),
        contact("2002", "133.1.2.4"),
        contact("south", "45.9.30.5"),
    )


def test_both_sides_of_calls() -> None:
    assert calls(said("channels")) == (
        Call("PJSIP/2001-00000000", "2001", 0, BRIDGE),
        Call("PJSIP/2002-00000001", "2002", 0, BRIDGE),
        Call("PJSIP/south-00000002", "south", 0, ""),
    )


@pytest.mark.parametrize(
    ("host", "via", "expected"),
    [
        ("192.168.1.5", "133.1.2.3", "133.1.2.3"),
        ("133.1.2.3", "192.168.1.5", "133.1.2.3"),
        ("192.168.1.5", "10.0.0.1", "192.168.1.5"),
        ("2400:4000::5", "", "2400:4000::5"),
        ("phone.example", "133.1.2.3", "133.1.2.3"),
    ],
)
def test_behind_nat_a_phone_is_who_sends(host: str, via: str, expected: str) -> None:
    assert contacts([RegisteredContact("a", host, "a", via)]) == (contact("a", expected),)


def test_a_contact_without_any_address_is_passed_over() -> None:
    assert contacts([RegisteredContact("a", "phone.example", "a", "")]) == ()


def test_an_argument_with_the_separator_moves_no_field() -> None:
    line = f"PJSIP/a-b-00000012!ctx!1!1!Up!Playback!tt!weasels!!x!1!!!3!754!{BRIDGE}!1.2"
    assert calls(line) == (Call("PJSIP/a-b-00000012", "a-b", 754, BRIDGE),)


def test_channels_that_are_no_peers_have_no_endpoint() -> None:
    line = said("channels").splitlines()[0].replace("PJSIP/2001-00000000", "Local/1@x-00000001;1")
    assert calls(line)[0].endpoint == ""
    other = line.replace("Local/1@x-00000001;1", "IAX2/zone-1234")
    assert calls(other)[0].endpoint == "zone"


@given(st.text(max_size=400))
def test_whatever_it_says_nothing_raises(text: str) -> None:
    contacts(parse_contacts(text), text)
    calls(text)


@given(st.lists(st.text(alphabet='!/-:;.@[]{}",0123456789abcPJSIContact \n', max_size=80)))
def test_nor_what_resembles_an_answer(lines: list[str]) -> None:
    text = "\n".join(lines)
    for each in calls(text):
        assert each.seconds >= 0
    contacts(parse_contacts(text), text)


def program(directory: Path, body: str, mode: int = 0o755) -> str:
    path = directory / "asterisk"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_arguments_are_no_shell_s(tmp_path: Path) -> None:
    path = program(tmp_path, 'printf "%s|" "$@"')
    assert ask("core show; $(x) `y`", path) == "-rx|core show; $(x) `y`|"


def test_endless_output_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="more than"):
        ask("x", program(tmp_path, "exec yes"))


def test_an_asterisk_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geofence.asterisk.console._SECONDS", 1)
    with pytest.raises(BackendError, match="no answer"):
        ask("x", program(tmp_path, "exec sleep 60"))


def test_a_failure_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="Unable to connect"):
        ask("x", program(tmp_path, "echo Unable to connect to remote asterisk >&2; exit 1"))


def test_a_program_that_others_can_write_is_not_run(tmp_path: Path) -> None:
    path = program(tmp_path, f"touch {tmp_path}/ran", 0o777)
    with pytest.raises(BackendError, match="is not run"):
        ask("x", path)
    assert not (tmp_path / "ran").exists()


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="does not answer"):
        ask("x", str(tmp_path / "none"))
