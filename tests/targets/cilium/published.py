"""Cilium's published schemas, read from the npm package that compiles them to JavaScript.

``npm install --ignore-scripts @kubernetes-models/cilium@4.0.0``, then
``python -m tests.targets.cilium.published node_modules`` writes them anew, and
``python -m tests.targets.cilium.check node_modules`` holds them against the package's own code.

Each of its files has a function for each part of one type. What a function calls and of what it
complains is that part's schema. Read as it is, but for three things: what is ``null`` is refused;
``metadata`` is any object, as in every CRD; fields of a type that has all of another one's are in
one place.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[2] / "recorded/crds/cilium-npm-4.0.0/schemas.json"
VERSION = "4.0.0"
KINDS = (
    ("cilium.io/v2", "CiliumCIDRGroup"),
    ("cilium.io/v2alpha1", "CiliumCIDRGroup"),
    ("cilium.io/v2", "CiliumNetworkPolicy"),
    ("cilium.io/v2", "CiliumClusterwideNetworkPolicy"),
)
"""What geofence writes."""
_ROOT = "@kubernetes-models/cilium/_schemas/ComGithubCiliumCiliumPkgK8sApisCiliumIo"
_IMPORT = re.compile(r'import\{validate as validate(\d+)\}from"([^"]+)"')
_ENUM = re.compile(r"let (schema\d+_enum)=(\[[^\]]*\])")
_FUNCTION = re.compile(r"function validate(\d+)\(data,")
_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(
    r"validate(?P<same>\d+)\(data,\{instancePath,"
    r'|validate(?P<property>\d+)\(data(?:\.(?P<name>\w+)|\["(?P<quoted>[^"]+)"\]),'
    r"|validate(?P<item>\d+)\(data\[i\d+\],"
    r"|validate(?P<value>\d+)\(data\[key\d+\],"
    rf'|keyword:"(?P<keyword>\w+)",params:\{{(?P<params>(?:{_STRING}|[^"}}])*)\}}'
)
Schema = dict[str, Any]


@dataclass
class _File:
    """One file of the package: a type of Cilium's."""

    path: Path
    text: str = field(init=False)

    def __post_init__(self) -> None:
        self.text = self.path.read_text("utf-8")

    @cached_property
    def imports(self) -> dict[str, str]:
        return dict(_IMPORT.findall(self.text))

    @cached_property
    def enums(self) -> dict[str, list[str]]:
        return {name: json.loads(values) for name, values in _ENUM.findall(self.text)}

    @cached_property
    def bodies(self) -> dict[str, str]:
        """The functions, by their numbers."""
        _, *parts = _FUNCTION.split(self.text)
        return dict(zip(parts[::2], parts[1::2], strict=True))

    @property
    def main(self) -> str:
        """The number of the function that it exports."""
        (found,) = re.findall(r"export const validate=validate(\d+)", self.text)
        return str(found)


@dataclass
class Reader:
    """Reads types and those that they refer to."""

    modules: Path
    definitions: dict[str, Schema] = field(default_factory=dict)

    def kind(self, version: str, kind: str) -> Schema:
        """The schema of a kind."""
        file = _File(source(self.modules, version, kind))
        found = self._part(file, file.main)
        found["properties"]["metadata"] = {"type": "object"}
        return found

    def _part(self, file: _File, number: str) -> Schema:
        """The schema of one function."""
        if number in file.imports:
            return self._reference(file, file.imports[number])
        found: Schema = {}
        same: list[Schema] = []
        for token in _TOKEN.finditer(file.bodies[number]):
            match token.lastgroup:
                case "same":
                    same.append(self._part(file, token["same"]))
                case "name" | "quoted":
                    name, part = token["name"] or token["quoted"], token["property"]
                    if name != "metadata":
                        found.setdefault("properties", {})[name] = self._part(file, part)
                case "item":
                    found["items"] = self._part(file, token["item"])
                case "value":
                    found["additionalProperties"] = self._part(file, token["value"])
                case _ if token["keyword"] in ("anyOf", "oneOf"):
                    found[token["keyword"]], same = same, []
                case _:
                    self._complaint(file, found, token["keyword"], token["params"])
        return self._joined(found, same)

    def _complaint(self, file: _File, found: Schema, keyword: str, params: str) -> None:
        value = params.rpartition("limit:")[2] if "limit:" in params else params.partition(":")[2]
        match keyword:
            case "required":
                found.setdefault("required", []).append(json.loads(value))
            case "enum":
                found["enum"] = file.enums[value]
            case "type" | "format" | "pattern":
                found[keyword] = json.loads(value)
            case _:
                found[keyword] = int(value, 0)

    def _reference(self, file: _File, name: str) -> Schema:
        path = file.path.parent / name if name.startswith(".") else self.modules / f"{name}.js"
        title = path.stem.removeprefix("ComGithubCiliumCiliumPkg")
        if title not in self.definitions:
            self.definitions[title] = {}  # a type may have itself as a part
            other = _File(path)
            self.definitions[title] = self._part(other, other.main)
        return {"$ref": f"#/$defs/{title}"}

    def _joined(self, found: Schema, same: list[Schema]) -> Schema:
        """A schema and those that hold for the same value."""
        if not found and len(same) == 1:
            return same[0]
        left = []
        for each in same:
            whole = self.definitions[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
            if "properties" in whole and "properties" in found:
                found["properties"] = {**whole["properties"], **found["properties"]}
                left += [{key: whole[key] for key in whole.keys() - {"properties", "type"}}]
            else:
                left.append(each)
        left = [each for each in left if each]
        return {**found, "allOf": left} if left else found


def source(modules: Path, version: str, kind: str) -> Path:
    """The file of the package that has a kind."""
    return modules / f"{_ROOT}{version.partition('/')[2].capitalize()}{kind}.js"


def read(modules: Path) -> Schema:
    """All schemas of the package that geofence needs."""
    package = json.loads((modules / "@kubernetes-models/cilium/package.json").read_text("utf-8"))
    assert package["version"] == VERSION, package["version"]
    reader = Reader(modules)
    kinds = {f"{version}/{kind}": reader.kind(version, kind) for version, kind in KINDS}
    used = set(_used(kinds, reader.definitions, set()))
    return {**kinds, "$defs": {name: reader.definitions[name] for name in sorted(used)}}


def _used(part: object, definitions: dict[str, Schema], known: set[str]) -> Iterator[str]:
    """The definitions that a schema refers to, and those that they do."""
    if isinstance(part, dict):
        name = str(part.get("$ref", "")).rpartition("/")[2]
        if name and name not in known:
            known.add(name)
            yield name
            yield from _used(definitions[name], definitions, known)
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _used(each, definitions, known)


if __name__ == "__main__":
    RECORDED.parent.mkdir(exist_ok=True)
    RECORDED.write_text(json.dumps(read(Path(sys.argv[1])), indent=1, sort_keys=True) + "\n")
