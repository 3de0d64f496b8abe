from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geofence.lab.network import Lab
from tests.cli.machine import BACKENDS
from tests.coexistence.machine import Debian, is_real_root
from tests.sipstack.site import Site, site
from tests.sipstack.stacks import DOWNLOADED, Pbx, kamailio, pjsip

OBLIGING = "kamailio, reply_to_via"


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


@pytest.fixture(autouse=True)
def with_pjsip() -> None:
    """Skip where PyPI has no pjsip; where it has, its absence is an error."""
    if sys.version_info >= (3, 13) or platform.machine() != "x86_64":
        pytest.skip("pjsua2-python has no wheel for this Python on this machine")


@contextmanager
def _running(kind: str, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Pbx]:
    if kind == "pjsip":
        with pjsip(lab.pbx) as made:
            yield made
    else:
        debian = request.getfixturevalue("with_kamailio")
        with kamailio(debian, lab.pbx, reply_to_via=kind == OBLIGING) as made:
            yield made


@pytest.fixture
def on_pjsip(lab: Lab, backend: str, tmp_path: Path) -> Iterator[Site]:
    """A PBX that is pjsip."""
    with pjsip(lab.pbx) as pbx, site(lab, pbx, backend, tmp_path) as made:
        yield made


@pytest.fixture
def on_kamailio(
    request: pytest.FixtureRequest, lab: Lab, backend: str, tmp_path: Path
) -> Iterator[Site]:
    """A PBX that is kamailio."""
    with _running("kamailio", lab, request) as pbx, site(lab, pbx, backend, tmp_path) as made:
        yield made


@pytest.fixture(params=["pjsip", "kamailio"])
def attacked(
    request: pytest.FixtureRequest, lab: Lab, backend: str, tmp_path: Path
) -> Iterator[Site]:
    """Each PBX in turn."""
    with (
        _running(request.param, lab, request) as pbx,
        site(lab, pbx, backend, tmp_path) as made,
    ):
        yield made
