"""Who, of the people at a running Asterisk, a change of the ruleset would cut off."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass

from geofence.asterisk import console
from geofence.asterisk.people import CALLS, CONTACTS, Call, Contact, calls, contacts
from geofence.errors import BackendError
from geofence.flows.flow import Flow, FlowState
from geofence.flows.impact import impact
from geofence.flows.interfaces import with_interfaces
from geofence.model.address import Address
from geofence.model.ruleset import Ruleset

_USER = "asterisk"
"""Beside root, the user who may ask a running Asterisk."""


@dataclass(frozen=True, slots=True)
class CutContact:
    """A contact that could reach services before, and could not afterwards."""

    contact: Contact
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CutCall:
    """One side of a call in progress with such a contact."""

    call: Call
    address: Address


@dataclass(frozen=True, slots=True)
class People:
    """The people at the running Asterisk, and whom the change would cut off."""

    contacts: int = 0
    """Number of all contacts with an address."""
    calls: int = 0
    """Number of all channels."""
    cut_contacts: tuple[CutContact, ...] = ()
    cut_calls: tuple[CutCall, ...] = ()
    unread: str = ""
    """Why Asterisk did not answer; empty if it did."""


def people(before: Ruleset | None, after: Ruleset, program: str = "") -> People | None:
    """Return whom a change of the ruleset would cut off, as the running Asterisk knows them.

    Args:
        before: the ruleset in the kernel; None for no fence.
        after: the one that is wanted.
        program: the path of ``asterisk``; empty for the usual one.

    Returns:
        None where no Asterisk can be asked: it is not on this host, or not by this user.
    """
    if before == after or not _may_ask() or not (program or console.is_installed()):
        return None
    try:
        known = contacts(console.contacts(program), console.ask(CONTACTS, program))
        channels = calls(console.ask(CALLS, program))
        lost = _lost(before, after, {each.address for each in known})
    except BackendError as error:
        return People(unread=str(error))
    cut = tuple(CutContact(each, lost[each.address]) for each in known if each.address in lost)
    by_endpoint = {each.contact.endpoint: each.contact.address for each in cut}
    return People(
        len(known),
        len(channels),
        cut,
        tuple(
            CutCall(each, by_endpoint[each.endpoint])
            for each in channels
            if each.endpoint in by_endpoint
        ),
    )


def _may_ask() -> bool:
    if os.geteuid() == 0:
        return True
    try:
        return pwd.getpwuid(os.geteuid()).pw_name == _USER
    except KeyError:
        return False


def _lost(
    before: Ruleset | None, after: Ruleset, addresses: Iterable[Address]
) -> dict[Address, tuple[str, ...]]:
    """Return the services that addresses could reach before and could not afterwards."""
    known = sorted(addresses)
    flows = [
        Flow(
            each.family,
            ports.protocol.value,
            each.number,
            0,
            0,
            ports.first,
            inbound=True,
            state=FlowState.NEW,
        )
        for each in known
        for service in after.services
        for ports in service.ports[:1]
    ]
    lost: dict[Address, list[str]] = {}
    for flow, service in impact(before, after, with_interfaces(flows, before, after)).denied:
        lost.setdefault(Address(flow.family, flow.source), []).append(service)
    return {address: tuple(dict.fromkeys(services)) for address, services in lost.items()}
