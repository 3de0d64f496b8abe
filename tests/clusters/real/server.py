"""A real etcd and kube-apiserver on the loopback, for as long as a test run takes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geofence.cluster.client import Cluster
from geofence.errors import ClusterError
from geofence.model.target import Target, TargetKind
from geofence.operations.targets.evidence import NODES, PODS, POLICIES, SERVICES
from geofence.targets.objects import Resource
from tests.clusters.fake.server import write_kubeconfig
from tests.clusters.scene import NAMESPACE, Scene
from tests.support.list_server import CERTIFICATE

_KEY = CERTIFICATE.with_name("key.pem")
_TOKEN = "token-of-the-test-run"  # noqa: S105 - of a server that ends with the run
_PATIENCE = 90.0
"""Seconds for the server to be ready; the first start fills etcd."""
HOW = """\
GEOFENCE_ETCD and GEOFENCE_KUBE_APISERVER must name the two programs. On Debian:
  apt-get install etcd-server golang-go
  apt-get source kubernetes
  cd kubernetes-*/ && go build -o /tmp/kube-apiserver ./cmd/kube-apiserver
  export GEOFENCE_ETCD=/usr/bin/etcd GEOFENCE_KUBE_APISERVER=/tmp/kube-apiserver
"""


def programs() -> tuple[str, str]:
    """The paths of etcd and kube-apiserver, from the environment; ends the run without them."""
    found = (os.environ.get("GEOFENCE_ETCD", ""), os.environ.get("GEOFENCE_KUBE_APISERVER", ""))
    if not all(path and os.access(path, os.X_OK) for path in found):
        sys.exit(HOW)
    return found


@contextmanager
def running(directory: Path) -> Iterator[Path]:
    """Yield the administrator's kubeconfig of a running API server."""
    etcd, apiserver = programs()
    client, peer, secure = (_free_port() for _ in range(3))
    endpoint = f"http://127.0.0.1:{client}"
    with (
        _started([etcd, *_etcd(directory, endpoint, peer)], directory / "etcd.log"),
        _started([apiserver, *_server(directory, endpoint, secure)], directory / "apiserver.log"),
    ):
        kubeconfig = write_kubeconfig(
            directory, f"https://127.0.0.1:{secure}", CERTIFICATE, {"token": _TOKEN}
        )
        _await(kubeconfig)
        yield kubeconfig


def _etcd(directory: Path, endpoint: str, peer: int) -> list[str]:
    peers = f"http://127.0.0.1:{peer}"
    return [
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={endpoint}",
        f"--advertise-client-urls={endpoint}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
    ]


def _server(directory: Path, endpoint: str, port: int) -> list[str]:
    account, tokens = directory / "account.key", directory / "tokens"
    subprocess.run(["openssl", "genrsa", "-out", account, "2048"], check=True, capture_output=True)
    tokens.write_text(f'{_TOKEN},admin,1,"system:masters"\n')
    return [
        f"--etcd-servers={endpoint}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={CERTIFICATE}",
        f"--tls-private-key-file={_KEY}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={account}",
        f"--service-account-signing-key-file={account}",
        "--service-cluster-ip-range=10.96.0.0/16",
    ]


@contextmanager
def _started(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _await(kubeconfig: Path) -> None:
    target = Target("k8s", TargetKind.NETWORKPOLICY, kubeconfig=str(kubeconfig))
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            with Cluster(target, 5.0) as cluster:
                cluster.list(Resource("v1", "Namespace", "namespaces", namespaced=False))
                return
        except ClusterError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def emptied(scene: Scene) -> None:
    """Delete what a test has left."""
    with scene.place.connected() as cluster:
        for resource in (POLICIES, SERVICES, PODS, NODES):
            namespace = NAMESPACE if resource.namespaced else ""
            for thing in cluster.list(resource, namespace):
                scene.delete(thing)
