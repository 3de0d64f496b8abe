"""The DaemonSet on a node: run by runc as its manifest says, it fences real packets.

The image is this checkout with this Python; ``python -m tests.node`` runs the same tests with the
image that the recipe makes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any, NamedTuple, Self

import pytest
import yaml

from geofence.backends import registry
from tests.cli.machine import ROOT, Machine, machine
from tests.coexistence.machine import is_real_root
from tests.node.helm import HERE
from tests.node.network import JAPANESE, NODE, SIP, STRANGER, Cluster, cluster
from tests.node.pods import Container, Node
from tests.node.recipe import Image, read_image

IMAGE = "GEOFENCE_NODE_IMAGE"
"""Environment variable: a file of JSON with the image to test, from ``python -m tests.node``."""
PEERS = ROOT / ".venv/peers-node"
ALLOWED = '[exception.abroad]\nprefixes = ["45.77.0.0/16"]\n'
SYSTEM = ("/bin", "/lib", "/lib64", "/sbin", "/usr")
SHIM = '#!/bin/sh\nexec "{python}" -m geofence "$@"\n'


class Site(NamedTuple):
    """A node with a pod network, and what runs pods there."""

    machine: Machine
    around: Cluster
    node: Node
    image: Image


def pod_of(path: str) -> dict[str, Any]:
    """The specification of the pod in a manifest."""
    spec: dict[str, Any] = yaml.safe_load((HERE / path).read_text("utf-8"))["spec"]
    return spec["template"]["spec"] if "template" in spec else spec


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node on which nothing ran yet; the sources of lists are on its loopback."""
    if not is_real_root():
        pytest.skip("running containers needs root, and not just of a user namespace")
    packages = sorted(PEERS.glob("*.deb"))
    assert packages, "./bootstrap test downloads them, as root and with apt"
    directory = tmp_path_factory.mktemp("node")
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, directory / "programs"], check=True)
    with machine(directory) as made, cluster(made.host) as around:
        node = Node(made.host, directory, directory / "programs")
        with _image(directory) as image:
            yield Site(made, around, node, image)


@contextmanager
def _image(directory: Path) -> Iterator[Image]:
    """The image that is named, or one of this checkout, whose files are the machine's."""
    if IMAGE in os.environ:
        yield read_image(Path(os.environ[IMAGE]))
        return
    image = Image(directory / "image", entrypoint=("/image/geofence",))
    (image.root / "image").mkdir(parents=True)
    shim = image.root / "image/geofence"
    shim.write_text(SHIM.format(python=sys.executable), encoding="utf-8")
    shim.chmod(0o755)
    image.environment |= {"PYTHONPATH": str(ROOT), "GEOFENCE_BACKEND": "nftables"}
    image.environment["PATH"] = f"/image:{image.environment['PATH']}"
    places = [*SYSTEM, sys.base_prefix, sys.prefix, str(ROOT)]
    mounted: list[Path] = []
    try:
        for place in dict.fromkeys(places):
            target = image.root / place.lstrip("/")
            if Path(place).is_dir() and not target.is_mount():
                target.mkdir(parents=True, exist_ok=True)
                subprocess.run(["mount", "--rbind", "--make-rprivate", place, target], check=True)
                mounted.append(target)
        yield image
    finally:
        for target in reversed(mounted):
            subprocess.run(["umount", "--recursive", "--lazy", target], check=True)


def rules(site: Site, **more: str) -> dict[str, str]:
    """The ConfigMap of the base, with the source of lists, and files on top."""
    (document,) = yaml.safe_load_all((HERE / "base/rules.yaml").read_text("utf-8"))
    source = (
        f'[source.country]\nurls = ["http://127.0.0.1:{site.machine.server.port}/{{cc}}.json"]\n'
    )
    data: dict[str, str] = document["data"]
    return {
        **data,
        "10-source.toml": source,
        **{f"{name}.toml": text for name, text in more.items()},
    }


@contextmanager
def daemon(site: Site) -> Iterator[Container]:
    """The DaemonSet's pod."""
    pod = pod_of("base/daemonset.yaml")
    started = site.node.start(pod, pod["containers"][0], site.image)
    try:
        yield started
    finally:
        started.close()


@contextmanager
def fenced(site: Site) -> Iterator[Container]:
    """The DaemonSet's pod with the rules of the base, once it is ready."""
    site.node.change("geofence-rules", rules(site))
    with daemon(site) as running:
        running.until_ready()
        while gets_in(site, STRANGER):  # rules of another test, until it has read these
            sleep(0.1)
        running.heard = len(running.log)
        yield running


def gets_in(site: Site, source: str) -> bool:
    around = site.around
    return around.gets_in(around.internet, source, (NODE, SIP), around.node) is not None


def test_it_gets_ready_once_the_fence_is_up(site: Site) -> None:
    site.node.change("geofence-rules", rules(site))
    assert gets_in(site, STRANGER)
    with daemon(site) as running:
        assert not running.is_ready()
        running.until_ready()
        assert gets_in(site, JAPANESE)
        assert not gets_in(site, STRANGER)


def test_it_has_the_privileges_of_the_manifest_and_no_more(site: Site) -> None:
    with fenced(site) as running:
        _, status = running.execute("cat", "/proc/self/status")
        facts = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
        for name in ("CapPrm", "CapEff", "CapBnd"):
            assert int(facts[name], 16) == 1 << 12
        assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
        for place in ("/x", "/etc/x", "/etc/geofence/rules.d/x", "/proc/sys/net/ipv4/ip_forward"):
            code, said = running.execute("sh", "-c", f"echo 1 > {place}")
            assert (code, "Read-only file system" in said) == (2, True), said


def test_it_follows_the_config_map(site: Site) -> None:
    with fenced(site) as running:
        site.node.change("geofence-rules", rules(site, **{"20-mine": ALLOWED}))
        running.until("rules: updated")
        assert gets_in(site, STRANGER)
        site.node.change("geofence-rules", rules(site, **{"20-mine": "[alow]\n"}))
        running.until("20-mine.toml:1: alow: unknown key")
        assert gets_in(site, STRANGER)
        site.node.change("geofence-rules", rules(site))
        running.until("rules: updated")
        assert not gets_in(site, STRANGER)
        assert running.is_ready()


class Probing(threading.Thread):
    """Strangers and a phone that send all the time."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site
        self._over = threading.Event()
        self.rounds = self.strangers = self.lost = 0

    def run(self) -> None:
        while not self._over.is_set():
            sleep(0.05)
            self.rounds += 1
            self.strangers += gets_in(self._site, STRANGER)
            self.lost += not gets_in(self._site, JAPANESE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def test_killed_and_replaced_the_fence_has_no_gap(site: Site) -> None:
    with fenced(site) as first, Probing(site) as probing:
        first.signalled(signal.SIGKILL)
        with daemon(site) as second:
            second.until_ready()
            assert second.signalled(signal.SIGTERM) == 0
        with daemon(site) as third:
            third.until_ready()
    assert probing.rounds > 3
    assert (probing.strangers, probing.lost) == (0, 0)


def clear(site: Site) -> None:
    """What a reboot does to the kernel."""
    with site.machine.host.entered():
        registry.load("nftables").remove()


def test_it_repairs_what_a_reboot_took_without_the_network(site: Site) -> None:
    with fenced(site):
        pass
    clear(site)
    assert gets_in(site, STRANGER)
    site.machine.server.closing.set()
    try:
        with daemon(site) as running:
            running.until_ready()
            assert not gets_in(site, STRANGER)
    finally:
        site.machine.server.closing.clear()


def test_a_pbx_pod_starts_behind_the_fence_of_its_node(site: Site) -> None:
    with fenced(site):
        pass
    clear(site)
    pod = pod_of("pbx-pod.yaml")
    pod["securityContext"] = {}
    fence = site.node.start(pod, pod["initContainers"][0], site.image)
    assert fence.ended() == 0, fence.log
    assert not gets_in(site, STRANGER)


def test_deleted_it_leaves_the_fence_which_another_pod_removes(site: Site) -> None:
    with fenced(site) as running:
        assert running.signalled(signal.SIGTERM) == 0
    assert not gets_in(site, STRANGER)
    pod = pod_of("remove/daemonset.yaml")
    removing = site.node.start(pod, pod["initContainers"][0], site.image)
    assert removing.ended() == 0, removing.log
    assert gets_in(site, STRANGER)
    assert (site.node.host_path("/var/lib/geofence") / "lists").is_dir()
