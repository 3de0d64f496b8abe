"""A configuration rendered from a random model reads back as that model."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.asterisk.reader import reading_of
from geofence.asterisk.reading import Reading, Use
from tests.asterisk.models import MODELS, Model, Renderer


def wanted_listeners(model: Model) -> set[tuple[str, str, int, str]]:
    found = {
        ("udp" if protocol == "udp" else "tcp", bind, port, "sips" if protocol == "tls" else "sip")
        for protocol, bind, port in model.transports.values()
    }
    if model.iax:
        found.add(("udp", "0.0.0.0", model.iax, "iax"))  # noqa: S104 - read, not bound
    return found


def wanted_trunks(model: Model) -> set[tuple[str, int | None]]:
    hosts = {each for contacts in model.contacts.values() for each in contacts}
    hosts |= set(model.registrations.values())
    addresses = {each for matches in model.matches.values() for each in matches}
    return {(host, port or None) for host, port in hosts} | {(each, None) for each in addresses}


def described(reading: Reading) -> tuple[object, ...]:
    return (
        {(each.protocol, each.bind, each.port, each.use) for each in reading.listeners},
        {(each.host, each.port) for each in reading.trunks},
        set(reading.local_nets),
        reading.rtp and reading.rtp.declared,
        reading.invalid,
        [each.kind for each in reading.unseen],
    )


@settings(max_examples=300, deadline=None)
@given(MODELS, st.integers(0, 2**32))
def test_what_is_rendered_is_read_back(model: Model, seed: int) -> None:
    files = Renderer(random.Random(seed)).render(model)  # noqa: S311 - no secret
    reading = reading_of(files)
    assert described(reading) == (
        wanted_listeners(model),
        wanted_trunks(model),
        {str(each) for each in model.nets},
        model.rtp,
        (),
        [],
    ), "\n".join(f"== {name}\n{text}" for name, text in files.items())
    assert all(each.certain for each in reading.listeners)
    assert all(
        each.families == ({6} if ":" in each.bind else {4})
        for each in reading.listeners
        if each.use is not Use.IAX
    )
