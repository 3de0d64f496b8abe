"""Recorded schemas held against the package that they are from: ``published`` says how to get it.

Both judge the golden objects, and each object that one mistake makes of them. Needs ``node``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.targets.cilium.published import KINDS, RECORDED, read, source
from tests.targets.crds import complaints

_GOLDEN = Path(__file__).parent / "golden"
_WRONG: tuple[Any, ...] = (
    "",
    "x",
    "1.2.3.4/33",
    "65536",
    -1,
    65536,
    1 << 40,
    True,
    {},
    [],
    {"x": "y"},
    ["x"],
)
_JUDGE = """\
import { readFileSync } from "node:fs";
const [sources, objects] = JSON.parse(readFileSync(0));
const judges = {};
for (const [kind, path] of Object.entries(sources)) judges[kind] = (await import(path)).validate;
const said = objects.map((each) => judges[each.apiVersion + "/" + each.kind](each));
console.log(JSON.stringify(said));
"""


def main(modules: Path) -> int:
    """Say how many objects both judge alike; 1 if there are others, or the package is another."""
    recorded = json.loads(RECORDED.read_text("utf-8"))
    objects = list(_objects())
    theirs = _judged(modules, objects)
    ours = [not complaints(each, _schema(recorded, each)) for each in objects]
    differing = [
        each for each, *said in zip(objects, theirs, ours, strict=True) if said[0] != said[1]
    ]
    passing = f"{sum(ours)} pass"
    sys.stdout.write(
        f"{len(objects)} objects, of which {passing}: {len(differing)} judged otherwise\n"
    )
    for each in differing[:5]:
        sys.stdout.write(f"{json.dumps(each)}\n")
    return int(bool(differing) or recorded != read(modules))


def _schema(recorded: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    return {**recorded[f"{one['apiVersion']}/{one['kind']}"], "$defs": recorded["$defs"]}


def _judged(modules: Path, objects: list[dict[str, Any]]) -> list[bool]:
    sources = {"/".join(kind): source(modules, *kind).resolve().as_uri() for kind in KINDS}
    with TemporaryDirectory() as directory:
        program = Path(directory) / "judge.mjs"
        program.write_text(_JUDGE)
        asked = json.dumps([sources, objects])
        done = subprocess.run(
            ["node", program], input=asked, stdout=subprocess.PIPE, text=True, check=True
        )
    return list(map(bool, json.loads(done.stdout)))


def _objects() -> Iterator[dict[str, Any]]:
    """Yield golden objects, and those with one mistake."""
    for path in sorted(_GOLDEN.glob("*.json")):
        for one in json.loads(path.read_text("utf-8")):
            yield one
            for at in _paths({"spec": one["spec"]}):
                for wrong in (None, *_WRONG):
                    made = deepcopy(one)
                    _change(made, at, wrong)
                    yield made


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Yield where values are: of a list, those of its first items."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, inner in items:
        yield (*at, key)
        if isinstance(inner, dict | list):
            yield from _paths(inner, (*at, key))


def _change(one: Any, at: tuple[Any, ...], wrong: Any) -> None:  # noqa: ANN401 - JSON
    """Put a wrong value somewhere, or, for None, leave the field out."""
    *way, last = at
    for key in way:
        one = one[key]
    if wrong is None:
        del one[last]
    else:
        one[last] = wrong


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
