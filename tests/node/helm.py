"""``python -m tests.node.helm``: record what Helm and Kustomize make of ``contrib/kubernetes``.

Helm itself installs the chart: version 4, as the Python package helm-sdkpy has it, in an
environment of its own. In place of an API server, a server on the loopback notes what it is sent.
Kustomize is that of kubectl. Run it after a change of the chart, of the base or of a component;
tests fail until then:

    python3.12 -m venv .venv/helm && .venv/helm/bin/pip install helm-sdkpy
    .venv/helm/bin/python -m tests.node.helm
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.serving import Threads, serving

HERE = Path(__file__).parents[2] / "contrib/kubernetes"
RECORDED = Path(__file__).parent / "recorded"
CHART = HERE / "chart/geofence"
VALUES: Mapping[str, Mapping[str, object]] = {
    "helm-default": {},
    "helm-all": {
        "image": {"repository": "registry.example/geofence", "digest": f"sha256:{'0' * 64}"},
        "rules": {"10-mine.toml": 'allow.countries = ["DE"]\n', "20-log.toml": "\n# two lines\n"},
        "metrics": {"textfileDirectory": "/var/lib/node_exporter/textfile_collector"},
        "nodeSelector": {"pool": "pbx"},
        "tolerations": [{"key": "pbx", "operator": "Exists"}],
    },
}
"""What the chart is installed with, by the name of the record."""
OVERLAYS = {"kustomize-base": ("base", ()), "kustomize-metrics": ("base", ("metrics",))}
"""Directories of Kustomize, with components."""


def digest(*directories: Path) -> str:
    """Return the SHA-256 of all files in some directories, by which a record is known to be new."""
    found = hashlib.sha256()
    for path in sorted(each for top in directories for each in top.rglob("*") if each.is_file()):
        found.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def _kind(plural: str, kind: str) -> dict[str, object]:
    verbs = ["create", "delete", "get", "list", "patch"]
    return {"name": plural, "singularName": "", "namespaced": True, "kind": kind, "verbs": verbs}


_APPS = {"groupVersion": "apps/v1", "version": "v1"}
_ANSWERS: Mapping[str, object] = {
    "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [{"name": "apps", "versions": [_APPS], "preferredVersion": _APPS}],
    },
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [_kind("configmaps", "ConfigMap"), _kind("secrets", "Secret")],
    },
    "/apis/apps/v1": {
        "kind": "APIResourceList",
        "groupVersion": "apps/v1",
        "resources": [_kind("daemonsets", "DaemonSet")],
    },
}
"""What Helm asks before it sends anything."""
_RELEASES = "/api/v1/namespaces/geofence/secrets"
"""Where it keeps its own records, which are not JSON."""


class _Server(Threads, HTTPServer):
    """Takes whatever it is sent, and has nothing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
        if path.endswith("/secrets"):
            self._reply(200, {"kind": "SecretList", "apiVersion": "v1", "items": []})
        else:
            self._reply(200 if path in _ANSWERS else 404, _ANSWERS.get(path, missing))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content: dict[str, Any] = {}
        if not self.path.split("?")[0].startswith(_RELEASES):
            content = json.loads(body)
            self.server.taken.append(content)
        self._reply(201, content)

    do_PUT = do_POST  # noqa: N815 - the name is http.server's

    def _reply(self, code: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in http.server
        """Say nothing."""


def _installed(values: Mapping[str, object]) -> list[dict[str, Any]]:
    """Install the chart with Helm; what it sends."""
    helm = import_module("helm_sdkpy")
    server = _Server()
    with serving(server), tempfile.NamedTemporaryFile("w", suffix=".json") as login:
        entry = {"name": "x", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        context = {"name": "x", "context": {"cluster": "x", "user": ""}}
        json.dump({"current-context": "x", "clusters": [entry], "contexts": [context]}, login)
        login.flush()
        configured = helm.Configuration(namespace="geofence", kubeconfig=login.name)
        install = helm.Install(configured)
        asyncio.run(install.run("geofence", str(CHART), values=values, wait=False, timeout=30))
    return server.taken


def _built(directory: str, components: tuple[str, ...]) -> list[dict[str, Any]]:
    """Build an overlay with Kustomize."""
    yaml = import_module("yaml")
    with tempfile.TemporaryDirectory(dir=HERE) as overlay:
        content = {
            "resources": [f"../{directory}"],
            "components": [f"../{each}" for each in components],
        }
        (Path(overlay) / "kustomization.yaml").write_text(json.dumps(content), encoding="utf-8")
        command = ["kubectl", "kustomize", overlay]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def _record(name: str, objects: list[dict[str, Any]], of: str) -> None:
    content = {"of": of, "objects": sorted(objects, key=lambda each: str(each["kind"]))}
    text = json.dumps(content, indent=1, sort_keys=True)
    (RECORDED / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
    sys.stdout.write(f"{name}: {len(objects)} objects\n")


def main() -> None:
    """Record all."""
    for name, values in VALUES.items():
        _record(name, _installed(values), digest(CHART))
    for name, (directory, components) in OVERLAYS.items():
        directories = (HERE / directory, *(HERE / each for each in components))
        _record(name, _built(directory, components), digest(*directories))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
