from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from geofence.lab.host import Host
from geofence.lab.network import PBX, Lab
from geofence.model.prefixes import Family
from tests.cli.machine import BACKENDS
from tests.coexistence.machine import Debian, is_real_root
from tests.sipstack.site import Site, site
from tests.sipstack.stacks import DOWNLOADED, Pbx, kamailio, no_pjsip, pjsip

OBLIGING = "kamailio, reply_to_via"

IPV4_ONLY = pytest.mark.parametrize("family", [Family.IPV4], indirect=True)
"""Where pjsip has to do more than answer, which is all that PyPI's does over IPv6.

It is built without ``PJ_HAS_IPV6``: it opens no dialog, registers nowhere and sends no media.
"""

FULL_STACKS = pytest.mark.parametrize(
    ("attacked", "family"),
    [("pjsip", Family.IPV4), ("kamailio", Family.IPV4), ("kamailio", Family.IPV6)],
    indirect=True,
)
"""Each PBX in each family over which it does more than answer."""


@pytest.fixture(scope="session")
def with_kamailio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """kamailio in a layer of its own."""
    if not is_real_root():
        pytest.skip("installing packages needs root, and not just of a user namespace")
    made = Debian(tmp_path_factory.mktemp("sip"), DOWNLOADED, ("kamailio",))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend in turn."""
    return str(request.param)


@pytest.fixture(params=Family)
def family(request: pytest.FixtureRequest) -> Family:
    """What everybody speaks: each address family in turn."""
    return Family(request.param)


@pytest.fixture(autouse=True)
def with_pjsip() -> None:
    """Skip where PyPI has no pjsip; where it has, its absence is an error."""
    if no_pjsip():
        pytest.skip(no_pjsip())


@contextmanager
def _running(kind: str, host: Host, address: str, request: pytest.FixtureRequest) -> Iterator[Pbx]:
    if kind == "pjsip":
        with pjsip(host, address) as made:
            yield made
    else:
        debian = request.getfixturevalue("with_kamailio")
        with kamailio(debian, host, address, reply_to_via=kind == OBLIGING) as made:
            yield made


@pytest.fixture
def make_site(
    request: pytest.FixtureRequest, lab: Lab, family: Family, backend: str, tmp_path: Path
) -> Iterator[Callable[[str], Site]]:
    """Make a site by the kind of its PBX."""
    with ExitStack() as closing:

        def make(kind: str) -> Site:
            running = _running(kind, lab.pbx, str(PBX[family]), request)
            pbx = closing.enter_context(running)
            return closing.enter_context(site(lab, family, pbx, backend, tmp_path))

        yield make


@pytest.fixture
def on_pjsip(make_site: Callable[[str], Site]) -> Site:
    """A PBX that is pjsip."""
    return make_site("pjsip")


@pytest.fixture
def on_kamailio(make_site: Callable[[str], Site]) -> Site:
    """A PBX that is kamailio."""
    return make_site("kamailio")


@pytest.fixture(params=["pjsip", "kamailio"])
def attacked(request: pytest.FixtureRequest, make_site: Callable[[str], Site]) -> Site:
    """Each PBX in turn."""
    return make_site(request.param)
