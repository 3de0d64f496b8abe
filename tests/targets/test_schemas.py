"""NetworkPolicies pass the strict schema of the API versions that matter, and what is wrong not."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import pytest

from geofence.targets.fence import cluster_fence
from geofence.targets.networkpolicy import new_engine
from geofence.targets.networkpolicy import ranges as ranges_module
from tests.targets import FENCE, TARGET, random_rulesets

VERSIONS = ("1.25", "1.30", "1.37")
"""The first with endPort for good, one in between, the newest."""


@pytest.mark.parametrize("version", VERSIONS)
def test_objects_pass_the_strict_schema(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges_module, "MOST_IN_ONE", 6_000)
    monkeypatch.setattr(ranges_module, "MOST_IN_RANGE", 6_000)
    fences = [FENCE, *(cluster_fence(each, TARGET) for each in random_rulesets(3, 4, 400))]
    for fence in fences:
        for found in new_engine().objects(fence, TARGET):
            kubernetes_validate.validate(json.loads(found.text), version, strict=True)


@pytest.mark.parametrize("wrong", ["ports", "spec"])
def test_an_unknown_field_does_not_pass(wrong: str) -> None:
    (found,) = new_engine().objects(FENCE, TARGET)
    content: dict[str, Any] = json.loads(found.text)
    within = content["spec"] if wrong == "spec" else content["spec"]["ingress"][0]["ports"][0]
    within["geofence"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(content, VERSIONS[-1], strict=True)
