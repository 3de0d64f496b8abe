"""How geofence logs in, what it refuses to send, and what it says of servers that do not answer."""

from __future__ import annotations

import copy
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.cluster import connection, login
from geofence.cluster.client import Cluster
from geofence.errors import ClusterError
from geofence.model.target import Target, TargetKind
from geofence.operations.targets.evidence import POLICIES
from tests.clusters.fake import TOKEN, FakeApi, Fault, FaultKind
from tests.clusters.fake.cluster import Grant
from tests.clusters.fake.server import write_kubeconfig
from tests.support.list_server import CERTIFICATE

TARGET = Target("k8s", TargetKind.NETWORKPOLICY, "pbx", (("app", "asterisk"),))


def asked(target: Target, patience: float = 5.0) -> str:
    """The error of a request; empty if it has none."""
    try:
        with Cluster(target, patience) as cluster:
            cluster.list(POLICIES, "pbx")
    except ClusterError as error:
        said = str(error)
    else:
        return ""
    assert TOKEN not in said
    return said


def with_user(api: FakeApi, directory: Path, user: Mapping[str, Any]) -> Target:
    """A target whose kubeconfig has a user."""
    path = write_kubeconfig(directory, api.url, CERTIFICATE, dict(user))
    return replace(TARGET, kubeconfig=str(path))


@pytest.fixture
def target(api: FakeApi, tmp_path: Path) -> Target:
    return replace(TARGET, kubeconfig=str(api.kubeconfig(tmp_path)))


def test_a_token_of_a_kubeconfig(target: Target) -> None:
    assert asked(target) == ""


def test_a_wrong_token_is_refused_with_the_remedy(api: FakeApi, tmp_path: Path) -> None:
    said = asked(with_user(api, tmp_path, {"token": "wrong"}))
    assert "(401)" in said
    assert "Renew the token" in said


def test_a_program_is_not_run_unasked(api: FakeApi, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "login"
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    answer = json.dumps({**credential, "status": {"token": TOKEN}})
    program.write_text(f"#!/bin/sh\ntouch {ran}\ncat <<'E'\n{answer}\nE\n")
    program.chmod(0o700)
    user = {"exec": {"apiVersion": credential["apiVersion"], "command": str(program)}}
    refused = with_user(api, tmp_path, user)
    assert "login_program = true" in asked(refused)
    assert not ran.exists()
    assert asked(replace(refused, login_program=True)) == ""
    assert ran.exists()


def test_a_provider_that_runs_a_program_is_refused_too(api: FakeApi, tmp_path: Path) -> None:
    user = {"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/sh"}}}
    assert "login_program" in asked(with_user(api, tmp_path, user))


def test_a_kubeconfig_that_others_can_write_is_refused(target: Target) -> None:
    Path(target.kubeconfig).chmod(0o666)
    assert "chmod" in asked(target)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{", b"[]", b"a: b: c", b"users: 3\n"])
def test_a_damaged_kubeconfig_is_one_sentence(target: Target, content: bytes) -> None:
    Path(target.kubeconfig).write_bytes(content)
    assert target.kubeconfig in asked(target)


_YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=3,
)
"""What a place of a kubeconfig may have instead of what belongs there."""


def _places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Every place of a document."""
    yield path
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _with(value: Any, path: tuple[Any, ...], put: object) -> Any:  # noqa: ANN401 - YAML
    """A document with something else at one place."""
    if not path:
        return put
    made = copy.copy(value)
    made[path[0]] = _with(value[path[0]], path[1:], put)
    return made


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of a server that nobody asks."""
    user = {"token": TOKEN, "exec": {"command": "/bin/false"}}
    directory = tmp_path_factory.mktemp("kubeconfig")
    return write_kubeconfig(directory, "https://127.0.0.1:9", CERTIFICATE, user)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_kubeconfig_that_is_wrong_anywhere_is_an_error_or_logs_in_without_a_program(
    kubeconfig: Path, data: st.DataObject
) -> None:
    content = yaml.safe_load(kubeconfig.read_text())
    place = data.draw(st.sampled_from(list(_places(content))))
    damaged = kubeconfig.with_name("damaged")
    damaged.write_text(yaml.safe_dump(_with(content, place, data.draw(_YAML))))
    told = ""
    with mock.patch("subprocess.Popen", side_effect=AssertionError("a program was run")):
        try:
            login.configuration(replace(TARGET, kubeconfig=str(damaged)))
        except ClusterError as error:
            told = str(error)
    assert TOKEN not in told


def test_a_missing_kubeconfig(tmp_path: Path) -> None:
    said = asked(replace(TARGET, kubeconfig=str(tmp_path / "none")))
    assert "No such file or directory" in said


def test_an_unknown_context_is_named(target: Target) -> None:
    assert "[target.k8s]" in asked(replace(target, context="elsewhere"))


def test_no_credentials_at_all() -> None:
    assert "Name a kubeconfig in [target.k8s]" in asked(TARGET)


def test_the_service_account_of_a_pod(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.config import incluster_config

    (tmp_path / "token").write_text(TOKEN)
    host, _, port = api.url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(login, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(CERTIFICATE))
    assert asked(TARGET) == ""


def test_a_server_whose_certificate_is_not_checked_gets_no_token(target: Target) -> None:
    path = Path(target.kubeconfig)
    content = yaml.safe_load(path.read_text())
    cluster = content["clusters"][0]["cluster"]
    del cluster["certificate-authority"]
    path.write_text(yaml.safe_dump(content))
    assert "was not issued by the authority" in asked(target)
    cluster["insecure-skip-tls-verify"] = True
    path.write_text(yaml.safe_dump(content))
    assert "without checking its certificate" in asked(target)
    cluster["server"] = "http://192.0.2.1:6443"
    path.write_text(yaml.safe_dump(content))
    assert "without checking its certificate" in asked(target)


def test_nothing_listens(api: FakeApi, target: Target) -> None:
    path = Path(target.kubeconfig)
    path.write_text(path.read_text().replace(api.url, "https://127.0.0.1:9"))
    assert "cannot be reached: Connection refused" in asked(target)


def test_a_server_that_hangs_costs_no_more_than_the_patience(api: FakeApi, target: Target) -> None:
    api.always = Fault(FaultKind.HANGS)
    assert "did not answer in time" in asked(target, 0.3)


def test_an_answer_that_never_ends_costs_no_more_than_the_patience(
    api: FakeApi, target: Target
) -> None:
    api.always = Fault(FaultKind.DRIPS)
    began = time.monotonic()
    assert "did not answer in time" in asked(target, 0.5)
    assert time.monotonic() - began < 30


def test_an_answer_without_end_is_not_read_into_memory(
    api: FakeApi, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LARGEST_ANSWER", 10_000)
    api.always = Fault(FaultKind.DRIPS)
    assert "sent more than 10,000 bytes" in asked(target, 60.0)
    api.always = None
    assert asked(target, 60.0) == ""


def test_a_busy_server_is_asked_again_after_the_time_that_it_names(
    api: FakeApi, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    busy = Fault(FaultKind.REFUSED, 429, "slow down", "TooManyRequests", {"Retry-After": "3"})
    api.faults = {0: busy, 1: Fault(FaultKind.DROPPED)}
    assert asked(target, 60.0) == ""
    assert pauses == [3.0, 1.0]
    api.always = busy
    assert "(429)" in asked(target, 60.0)
    assert "busy" in asked(target, 1.0)


def test_a_role_that_lacks_a_verb_is_named_by_the_server(api: FakeApi, target: Target) -> None:
    api.cluster.grants = [Grant(["get", "patch"], ["networkpolicies"], ["geofence-k8s"])]
    said = asked(target)
    assert 'cannot list resource "networkpolicies"' in said
    assert "Its role" in said


def test_an_answer_of_no_api_server(api: FakeApi, target: Target) -> None:
    api.answer = lambda *_: (200, [])  # type: ignore[method-assign]
    assert "did not answer as an API server does" in asked(target)


def test_a_list_without_end_ends(
    api: FakeApi, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geofence.cluster.client._MOST_PAGES", 5)
    endless = {"metadata": {"continue": "more"}, "items": []}
    api.answer = lambda *_: (200, endless)  # type: ignore[method-assign]
    assert "did not answer as an API server does" in asked(target)
    assert len(api.seen) == 5


def test_the_client_is_optional(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    assert "geofence[kubernetes]" in asked(target)


def test_no_secret_is_logged(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert asked(target) == ""
        assert asked(replace(target, context="elsewhere"))
    assert TOKEN not in caplog.text
