"""The image's recipe, read and carried out without a container engine.

Only the instructions that the recipe has are known; another one is an error, so that the image of
the tests cannot be another than the one that an engine builds. In place of the base image is what
debootstrap makes of the same release; the slim image of Debian is that, without documentation.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.walk.system import WalkError

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_RUN = (
    'mount -t proc proc "$ROOT/proc" && mount --bind /dev "$ROOT/dev"'
    ' && exec chroot "$ROOT" /usr/bin/env -i PATH="$SEARCHED" "$@"'
)
_SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Instruction(NamedTuple):
    """One instruction of a recipe."""

    name: str
    text: str


@dataclass
class Image:
    """A root file system, and what is run in it."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _SEARCHED})
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


def write_image(image: Image, path: Path) -> None:
    """Write an image to a file of JSON, with the path of its root."""
    content = {**asdict(image), "root": str(image.root)}
    path.write_text(json.dumps(content), encoding="utf-8")


def read_image(path: Path) -> Image:
    """Read what ``write_image`` wrote."""
    content = json.loads(path.read_text("utf-8"))
    start, command = (tuple(content[key]) for key in ("entrypoint", "command"))
    return Image(Path(content["root"]), content["environment"], start, command)


def instructions(text: str) -> tuple[Instruction, ...]:
    """Return the instructions of a Containerfile."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = "\n".join(lines).replace("\\\n", " ")
    parts = (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
    return tuple(Instruction(name.upper(), rest.strip()) for name, _, rest in parts)


def release(base: str) -> str:
    """Return the release of Debian that a base image has."""
    found = re.fullmatch(r"docker\.io/library/debian:(\w+)-slim", base)
    if not found:
        raise WalkError(f"{base} is not an image of Debian that debootstrap can make")
    return found[1]


def assembled(recipe: Path, context: Path, bases: Path, root: Path) -> Image:
    """Carry out a recipe.

    Args:
        recipe: the Containerfile.
        context: the directory that COPY copies from.
        bases: where base systems are kept, by release.
        root: where the file system will be; it must not exist.
    """
    image, arguments = Image(root), dict[str, str]()
    for each in instructions(recipe.read_text("utf-8")):
        text = _VARIABLE.sub(lambda found: arguments.get(found[1], found[0]), each.text)
        match each.name:
            case "ARG":
                name, _, value = text.partition("=")
                arguments[name] = value
            case "FROM":
                # Not by Python: it would copy what devices contain.
                _do(["cp", "--archive", str(_base(release(text), bases)), str(root)], {})
            case "LABEL":
                pass
            case "ENV":
                name, _, value = text.partition("=")
                image.environment[name] = value
            case "COPY":
                _copy(context, root, text.split())
            case "RUN":
                _run(image, text)
            case "ENTRYPOINT":
                image.entrypoint = tuple(json.loads(text))
            case "CMD":
                image.command = tuple(json.loads(text))
            case _:
                raise WalkError(f"the recipe has an unknown instruction: {each.name}")
    return image


def _base(name: str, bases: Path) -> Path:
    base = bases / name
    if not base.is_dir():
        making = base.with_name(f"{name}.making")
        shutil.rmtree(making, ignore_errors=True)
        making.parent.mkdir(parents=True, exist_ok=True)
        mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
        _do(["debootstrap", "--variant=minbase", name, str(making), mirror], {})
        making.rename(base)
    return base


def _copy(context: Path, root: Path, words: list[str]) -> None:
    target = root / words[-1].lstrip("/")
    target.mkdir(parents=True, exist_ok=True)
    for pattern in words[:-1]:
        found = sorted(context.glob(pattern))
        if not found:
            raise WalkError(f"{pattern} is not in {context}")
        for path in found:
            shutil.copy(path, target)


def _run(image: Image, text: str) -> None:
    """Run a shell command in the file system, with this machine's resolver meanwhile."""
    shutil.copy("/etc/resolv.conf", image.root / "etc/resolv.conf")
    words = [f"{name}={value}" for name, value in image.environment.items() if name != "PATH"]
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _RUN, "sh"]
    _do([*command, *words, "/bin/sh", "-c", text], {"ROOT": str(image.root), "SEARCHED": _SEARCHED})
    (image.root / "etc/resolv.conf").write_text("")


def _do(command: list[str], more: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WalkError(f"{command[-1]} failed:\n{(done.stdout + done.stderr)[-3000:]}")
