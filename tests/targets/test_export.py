"""``geofence export``: files of a cluster's fence, without a cluster, the kernel or root."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from geofence.cli.app import app
from geofence.cli.ending import ending_in_message
from geofence.model.bans import Ban
from geofence.model.lists import ListKind
from geofence.model.target import TargetKind
from geofence.operations.export import Export, FileState, Wanted, export, write_files
from geofence.operations.lists import fetched
from geofence.operations.site import Site
from geofence.targets.files import file_text
from geofence.targets.networkpolicy import ranges as ranges_module
from geofence.targets.objects import Release
from tests.support.values import prefix

RULES = """\
[allow]
countries = ["JP"]
[source.country]
urls = ["{lists}/{{cc}}.txt"]
[exception.office]
prefixes = ["45.9.0.0/16"]
services = ["sip"]
"""
TARGETS = """\
[target.pbx]
kind = "networkpolicy"
namespace = "pbx"
pods = ["app=asterisk"]
[target.edge]
kind = "calico"
namespace = "edge"
pods = ["app=kamailio"]
"""
PODS = (("app", "asterisk"),)
DESCRIBED = Wanted(TargetKind.NETWORKPOLICY, None, "pbx", PODS)
APPLY = "kubectl apply --server-side --force-conflicts --field-manager=geofence -f"


@dataclass
class Desk:
    """Somebody's directory with rules and stored lists."""

    place: Path

    @property
    def site(self) -> Site:
        return Site(rules_directory=self.place / "rules.d", state_directory=self.place / "state")

    def rules(self, more: str = "") -> None:
        text = RULES.format(lists=self.place / "lists") + more
        (self.place / "rules.d" / "50-mine.toml").write_text(text)

    def list(self, prefixes: Iterable[str]) -> None:
        """Let the country have these prefixes, and fetch and store them."""
        (self.place / "lists" / "jp.txt").write_text("\n".join(prefixes) + "\n")
        accept = ("shrink=JP", "first-run=JP", "growth=JP", "ends=JP")
        gathered = fetched(self.site, self.site.policy(), tuple(ListKind), accept)
        gathered.store(self.site)

    @property
    def options(self) -> tuple[str, ...]:
        state = ("--state-dir", str(self.place / "state"))
        return ("--rules-dir", str(self.place / "rules.d"), *state, "export")

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run the command in this process; return its exit code and what it printed."""
        out, err = StringIO(), StringIO()
        printed = redirect_stdout(out), redirect_stderr(err)
        with printed[0], printed[1], pytest.raises(SystemExit) as ended, ending_in_message():
            app([*self.options, *words])
        gc.enable()
        code = ended.value.code
        assert isinstance(code, int)
        return code, out.getvalue(), err.getvalue()


def scattered(number: int) -> list[str]:
    return [f"{133 + at // 250}.{at % 250}.0.0/17" for at in range(number)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for name in ("rules.d", "lists"):
        (tmp_path / name).mkdir()
    (tmp_path / "state").mkdir(mode=0o700)
    made = Desk(tmp_path)
    made.rules()
    made.list(scattered(40))
    return made


def written(found: Export, place: Path) -> dict[str, FileState]:
    return {each.path.name: each.state for each in write_files(found, place)}


def test_files_are_the_objects_in_yaml_too(desk: Desk) -> None:
    found = export(desk.site, DESCRIBED)
    assert written(found, desk.place / "a" / "b") == {
        "1-networkpolicy-geofence-pbx.json": FileState.NEW
    }
    text = (desk.place / "a" / "b" / "1-networkpolicy-geofence-pbx.json").read_text()
    assert json.loads(text) == yaml.safe_load(text) == found.objects[0].content
    assert '          {"ipBlock": {"cidr": "133.0.0.0/17"}},\n' in text


CILIUM = ("--to", "cilium", "--namespace", "pbx", "--pods", "app=asterisk")


@pytest.mark.parametrize(
    ("version", "groups"),
    [
        (None, "cilium.io/v2"),
        ("1.17", "cilium.io/v2alpha1"),
        ("v1.17.6", "cilium.io/v2alpha1"),
        ("1.18.0-rc.1", "cilium.io/v2"),
        ("1.20", "cilium.io/v2"),
        ("2.0", "cilium.io/v2"),
    ],
)
def test_cilium_1_17_gets_groups_in_v2alpha1(desk: Desk, version: str | None, groups: str) -> None:
    options = ("--cilium", version) if version else ()
    code, out, _ = desk.run(*CILIUM, *options)
    assert code == 0
    versions = {each["kind"]: each["apiVersion"] for each in json.loads(out)["items"]}
    assert versions == {"CiliumCIDRGroup": groups, "CiliumNetworkPolicy": "cilium.io/v2"}


def test_for_another_version_the_same_files_are_written_anew(desk: Desk) -> None:
    place = desk.place / "out"
    labels = (TargetKind.CILIUM, None, "pbx", PODS)
    write_files(export(desk.site, Wanted(*labels)), place)
    older = export(desk.site, Wanted(*labels, release=Release(1, 17)))
    states = written(older, place)
    assert len(states) == len(list(place.iterdir()))
    assert {name: state for name, state in states.items() if state is FileState.CHANGED} == {
        name: state for name, state in states.items() if "cidrgroup" in name
    }
    assert FileState.UNCHANGED in states.values()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--cilium", "1.16"), "version 1.16 cannot hold the fence. Upgrade Cilium to 1.17"),
        (("--cilium", "1"), '"1" is not a version; expected one such as 1.17'),
        (("--cilium", "1.17\n"), "is not a version"),
        (("--cilium", "1.1\u0667"), "is not a version"),
        (("--to", "calico", "--cilium", "3.29"), "the objects are those of calico"),
        (("--to", "networkpolicy", "--cilium", "1.17"), "the objects are those of networkpolicy"),
    ],
)
def test_a_version_that_cannot_be_is_a_mistake(
    desk: Desk, options: tuple[str, ...], told: str
) -> None:
    code, out, err = desk.run(*CILIUM, *options)
    assert (code, out) == (2, "")
    assert told in " ".join(err.split())
    assert "--cilium" in err


def test_what_is_unchanged_is_not_written_again(desk: Desk) -> None:
    place = desk.place / "out"
    write_files(export(desk.site, DESCRIBED), place)
    (path,) = place.iterdir()
    before = path.stat()
    assert set(written(export(desk.site, DESCRIBED), place).values()) == {FileState.UNCHANGED}
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    desk.list(scattered(41))
    assert set(written(export(desk.site, DESCRIBED), place).values()) == {FileState.CHANGED}
    assert [each.name for each in place.iterdir()] == [path.name]


def test_files_of_objects_that_are_no_more_go_and_no_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = desk.place / "out"
    with monkeypatch.context() as patch:
        patch.setattr(ranges_module, "MOST_IN_ONE", 500)
        patch.setattr(ranges_module, "MOST_IN_RANGE", 500)
        write_files(export(desk.site, DESCRIBED), place)
    ranges = {each.name for each in place.iterdir()} - {"1-networkpolicy-geofence-pbx.json"}
    assert len(ranges) > 1
    other = Wanted(TargetKind.NETWORKPOLICY, "other", "pbx", PODS)
    write_files(export(desk.site, other), place)
    kept = {
        "1-networkpolicy-geofence-pbx.mine.json": "{}",
        "1-networkpolicy-theirs.json": '{"kind": "NetworkPolicy", "metadata": {"labels": null}}',
        "1-networkpolicy-torn.json": '{"kind": "Netw',
        "kustomization.yaml": "resources: []",
    }
    for name, text in kept.items():
        (place / name).write_text(text)
    states = written(export(desk.site, DESCRIBED), place)
    assert {name for name, state in states.items() if state is FileState.REMOVED} == ranges
    assert {each.name for each in place.iterdir()} == {
        "1-networkpolicy-geofence-pbx.json",
        "1-networkpolicy-geofence-other.json",
        *kept,
    }


def test_a_link_in_the_directory_is_replaced_and_not_followed(desk: Desk) -> None:
    place, secret = desk.place / "out", desk.place / "secret"
    place.mkdir()
    secret.write_text("kept")
    (place / "1-networkpolicy-geofence-pbx.json").symlink_to(secret)
    write_files(export(desk.site, DESCRIBED), place)
    assert secret.read_text() == "kept"


@pytest.mark.parametrize("kind", TargetKind)
def test_each_engine_exports_its_kinds(desk: Desk, kind: TargetKind) -> None:
    found = export(desk.site, Wanted(kind, None, "pbx", PODS))
    files = write_files(found, desk.place / kind)
    kinds = [each.kind for each in found.engine.resources]
    paths = sorted(each.path for each in files)
    made = [json.loads(path.read_text())["kind"] for path in paths]
    assert [kinds.index(each) for each in made] == sorted(kinds.index(each) for each in made)


def test_the_command_prints_a_table_and_how_to_apply(desk: Desk) -> None:
    place = desk.place / "out"
    words = ("--to", "networkpolicy", "--namespace", "pbx", "--pods", "app=asterisk")
    code, out, err = desk.run(*words, "--output", str(place))
    assert code == 0, err
    assert re.search(r"^1-networkpolicy-geofence-pbx.json +\d,\d{3} +new", out, re.MULTILINE)
    assert f"{APPLY} {place}" in out
    assert "ends no current connection" in err
    again = json.loads(desk.run(*words, "--output", str(place), "--json")[1])
    assert [each["state"] for each in again["files"]] == ["unchanged"]
    assert {note["data"]["what"] for note in again["note_facts"]} >= {"live-flows", "order", "ends"}
    assert (again["target"], again["kind"]) == ("pbx", "networkpolicy")


def test_without_a_directory_it_prints_what_kubectl_reads(desk: Desk) -> None:
    desk.rules(TARGETS)
    shown: dict[str, Any] = json.loads(desk.run("--target", "pbx")[1])
    assert (shown["kind"], shown["apiVersion"]) == ("List", "v1")
    assert [each["metadata"]["name"] for each in shown["items"]] == ["geofence-pbx"]


def test_the_only_target_of_an_engine_need_not_be_named(desk: Desk) -> None:
    desk.rules(TARGETS)
    assert export(desk.site, Wanted(TargetKind.CALICO)).target.name == "edge"
    one = export(desk.site, Wanted(TargetKind.CILIUM, "pbx"))
    assert (one.target.namespace, one.target.kind) == ("pbx", "cilium")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "iptables"], "--to takes networkpolicy, calico or cilium"),
        (["--to", "networkpolicy"], "describe it"),
        (["--namespace", "pbx", "--pods", "app=asterisk"], "Name the engine: --to networkpolicy"),
        (["--to", "calico", "--namespace", "PBX"], "--namespace:"),
        (["--to", "calico", "--namespace", "pbx", "--pods", "app"], "--pods:"),
        (["--to", "calico", "--pods", "a=b", "--pods", "a=c"], "each label once"),
        (["--to", "networkpolicy", "--pods", "app=asterisk"], "needs the namespace"),
        (["--to", "networkpolicy", "--namespace", "pbx", "--nodes", "a=b"], "needs the namespace"),
        (
            ["--to", "networkpolicy", "--namespace", "x", "--pods", "a=b", "--nodes", "a=b"],
            "cannot fence nodes",
        ),
        (["--target", "pbxx"], 'no target "pbxx"'),
        (["--target", "Pbx-"], "--target:"),
        (["--to", "calico", "--namespace", "x", "--pods", "a=b", "--service", "ftp"], "--service:"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(desk: Desk, words: list[str], said: str) -> None:
    code, out, err = desk.run(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_two_targets_have_to_be_told_apart(desk: Desk) -> None:
    desk.rules(TARGETS)
    assert "--target pbx | --target edge" in desk.run()[2]
    again = desk.run("--to", "cilium", "--namespace", "pbx", "--pods", "a=b", "--target", "x")
    assert "may select the same pods" in again[2]
    both = desk.run("--target", "pbx", "--to", "calico", "--namespace", "x", "--pods", "a=b")
    assert "The rules have a target pbx" in both[2]


def test_rules_that_allow_nearly_everybody_are_refused_as_by_apply(desk: Desk) -> None:
    desk.rules('[exception.all]\nprefixes = ["0.0.0.0/1", "128.0.0.0/1"]\n')
    words = ("--to", "networkpolicy", "--namespace", "pbx", "--pods", "app=asterisk")
    place = desk.place / "out"
    assert desk.run(*words, "--output", str(place))[0] == 3
    assert not place.exists()
    assert desk.run(*words, "--output", str(place), "--accept", "open")[0] == 0


def test_bans_are_taken_out_of_the_export(desk: Desk) -> None:
    before = export(desk.site, DESCRIBED).objects[0].text
    banned = Ban(prefix("133.0.0.0/18"), datetime.now(UTC))
    with desk.site.bans.held(1.0):
        desk.site.bans.append([banned])
    after = export(desk.site, DESCRIBED).objects[0].text
    assert '"133.0.0.0/17"' in before
    assert '"133.0.0.0/17"' not in after
    assert '"133.0.64.0/18"' in after


def test_neither_the_kernel_nor_a_client_is_loaded(desk: Desk) -> None:
    words = ("--to", "networkpolicy", "--namespace", "pbx", "--pods", "app=asterisk")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "geofence", *desk.options, *words],
        capture_output=True,
        check=True,
        text=True,
    )
    names = set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))
    tops = {name.split(".")[0] for name in names}
    assert "geofence" in tops
    assert not tops & {"kubernetes", "pyroute2", "requests", "yaml"}


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"a": []},
        {"a": ["b", "c" * 200, "d"]},
        [{"a": {"b": "c"}}] * 50,
        [{"a": 1, "b": [1, 2]}] * 50,
        {"a": [1] * 90, "b": {"c": None, "d": "x" * 120}},
        "text",
    ],
)
def test_files_say_what_the_value_says(value: Any) -> None:  # noqa: ANN401 - any JSON
    text = file_text(value)
    assert json.loads(text) == value
    assert text.endswith("\n")
    assert max(map(len, text.splitlines())) < 250
