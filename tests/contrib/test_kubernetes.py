"""What ``contrib/kubernetes`` has: strict schemas, privileges, and one truth in three forms."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from geofence.operations.site import shipped_rules
from geofence.policy import load_policy
from tests.node.helm import CHART, HERE, OVERLAYS, RECORDED, VALUES, digest
from tests.project.documents import TOP

VERSIONS = ("1.30", "1.37")
"""The oldest that is still patched by somebody, and the newest with schemas."""
KUSTOMIZE = ("Kustomization", "Component")
IMAGE = "example.invalid/geofence:0.1.0"


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """All objects that are in files, by the file; patches are none."""
    for path in sorted(HERE.rglob("*.yaml")):
        if CHART not in path.parents and path.parent.name != "metrics":
            for document in yaml.safe_load_all(path.read_text("utf-8")):
                if document["kind"] not in KUSTOMIZE:
                    yield str(path.relative_to(HERE)), document


def recorded(name: str) -> list[dict[str, Any]]:
    """What Helm or Kustomize made."""
    found: list[dict[str, Any]] = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))[
        "objects"
    ]
    return found


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The specifications of all pods."""
    for name, document in documents():
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if document["kind"] == "Pod":
            yield name, spec
        elif "template" in spec:
            yield name, spec["template"]["spec"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "document", [*documents()], ids=lambda each: f"{each[0]}:{each[1]['kind']}"
)
def test_each_object_passes_the_strict_schema(
    document: tuple[str, dict[str, Any]], version: str
) -> None:
    kubernetes_validate.validate(document[1], version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [*VALUES, *OVERLAYS])
def test_what_helm_and_kustomize_make_passes_it_too(name: str, version: str) -> None:
    for each in recorded(name):
        kubernetes_validate.validate(each, version, strict=True)


def test_a_wrong_key_does_not_pass_the_schema() -> None:
    daemon_set = of_kind(recorded("helm-default"), "DaemonSet")
    daemon_set["spec"]["template"]["spec"]["hostNetwrok"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(daemon_set, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", [*VALUES, *OVERLAYS])
def test_records_are_of_the_files_as_they_are(name: str) -> None:
    known = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))["of"]
    directory, components = OVERLAYS.get(name, ("chart/geofence", ()))
    places = (HERE / directory, *(HERE / each for each in components))
    assert known == digest(*places), "Run 'python -m tests.node.helm', as its docstring says."


def test_chart_and_base_run_the_same_pod() -> None:
    base, chart = (
        of_kind(recorded(name), "DaemonSet") for name in ("kustomize-base", "helm-default")
    )
    for each in (base, chart):
        del each["metadata"], each["spec"]["selector"], each["spec"]["template"]["metadata"]
    (container,) = chart["spec"]["template"]["spec"]["containers"]
    assert container.pop("imagePullPolicy") == "IfNotPresent"
    assert chart == base
    rules = [of_kind(recorded(name), "ConfigMap")["data"] for name in ("helm-default",)]
    assert rules == [of_kind(recorded("kustomize-base"), "ConfigMap")["data"]]


def test_the_selector_is_that_of_the_pods() -> None:
    for name in ("kustomize-base", "helm-default", "helm-all"):
        daemon_set = of_kind(recorded(name), "DaemonSet")["spec"]
        assert daemon_set["selector"]["matchLabels"] == daemon_set["template"]["metadata"]["labels"]


def test_values_reach_the_objects() -> None:
    objects = recorded("helm-all")
    pod = of_kind(objects, "DaemonSet")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"registry.example/geofence@sha256:{'0' * 64}"
    assert pod["tolerations"] == [{"key": "pbx", "operator": "Exists"}]
    assert pod["nodeSelector"]["pool"] == "pbx"
    assert "metrics" in [each["name"] for each in pod["volumes"]]
    data = of_kind(objects, "ConfigMap")["data"]
    assert data["20-log.toml"] == "\n# two lines\n"
    assert tomllib.loads(data["90-metrics.toml"])["metrics"]["textfile"].startswith("/metrics/")


@pytest.mark.parametrize("name", [*VALUES, *OVERLAYS])
def test_the_rules_load_and_trust_no_private_network(name: str, tmp_path: Path) -> None:
    for key, text in of_kind(recorded(name), "ConfigMap")["data"].items():
        (tmp_path / key).write_text(text, encoding="utf-8")
    policy = load_policy([shipped_rules(), tmp_path])
    assert not policy.local
    assert policy.countries == (("DE",) if name == "helm-all" else ("JP",))


def test_no_container_has_more_privileges_than_the_kernel_asks_for() -> None:
    for name, pod in pods():
        assert pod["automountServiceAccountToken"] is name.startswith("refresh/")
        for each in containers(pod):
            if each["image"] != IMAGE:
                continue
            security = {**pod.get("securityContext", {}), **each["securityContext"]}
            assert security["capabilities"]["drop"] == ["ALL"]
            fences = pod.get("hostNetwork") and each["name"] != "done"
            assert security["capabilities"].get("add", []) == (["NET_ADMIN"] if fences else [])
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}
            assert "privileged" not in security


def test_the_refresh_may_write_its_own_object_alone() -> None:
    (role,) = (each for _, each in documents() if each["kind"] == "Role")
    listing, writing = role["rules"]
    assert listing["verbs"] == ["list"]
    assert writing["resourceNames"] == ["geofence-pbx"]
    assert not {"*", "update", "deletecollection"} & {*listing["verbs"], *writing["verbs"]}
    text = (HERE / "refresh/rules.yaml").read_text("utf-8")
    assert "[target.pbx]" in text
    assert 'namespace = "pbx"' in text


@pytest.mark.parametrize("directory", ["base", "remove", "refresh"])
def test_each_file_is_part_of_its_kustomization(directory: str) -> None:
    content = yaml.safe_load((HERE / directory / "kustomization.yaml").read_text("utf-8"))
    left_out = {"kustomization.yaml", "admission.yaml"}
    assert (
        set(content["resources"]) == {path.name for path in (HERE / directory).iterdir()} - left_out
    )


def test_versions_are_that_of_the_package() -> None:
    version = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert (chart["version"], chart["appVersion"]) == (version, version)
    recipe = (HERE / "image/Containerfile").read_text("utf-8")
    assert re.findall(r"^ARG VERSION=(.*)-\d+$", recipe, re.MULTILINE) == [version]
    for name, pod in pods():
        images = {each["image"] for each in containers(pod)}
        assert images <= {f"example.invalid/geofence:{version}", "example.invalid/asterisk:22"}, (
            name
        )
