from __future__ import annotations

import hashlib
import os
import pty
import re
import shutil
import site
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from geofence import __version__
from tests.support.terminals import said_at

TOP = Path(__file__).parents[2]
VERSION = f"geofence {__version__}"
NEEDED = ("sh", "dirname", "sed", "id", "cksum", "cat", "rm", "mktemp")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout, and a machine with hardly a program: ``bin`` is all of its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    for name in ("bootstrap", "pyproject.toml"):
        shutil.copy(TOP / name, tmp_path)
    # The script looks in the system's directories, too; not for this machine's programs.
    script = (tmp_path / "bootstrap").read_text()
    tail = ":/usr/local/sbin:/usr/sbin:/sbin\n"
    assert tail in script
    (tmp_path / "bootstrap").write_text(script.replace(tail, "\n").replace("/usr/bin/python3", ""))
    return tmp_path


def place(machine: Path, name: str, body: str) -> None:
    # Never through a link into this machine's own programs.
    (machine / "bin" / name).unlink(missing_ok=True)
    (machine / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
    (machine / "bin" / name).chmod(0o755)


def run(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine / "bootstrap", *arguments],
        env={"PATH": str(machine / "bin"), "HOME": str(machine)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("nonsense",)])
def test_wrong_usage_gets_the_list_of_commands(machine: Path, arguments: tuple[str, ...]) -> None:
    done = run(machine, *arguments)
    assert done.returncode == 2
    for verb in ("demo", "test", "bench", "install", "package", "lock"):
        assert f"./bootstrap {verb}" in done.stderr


def test_without_python_and_apt_it_names_the_requirements(machine: Path) -> None:
    done = run(machine, "demo")
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    assert "no apt-get" in done.stderr


def test_an_old_python_will_not_do(machine: Path) -> None:
    place(machine, "python3", "exit 1")
    assert "Needs python3 python3-venv" in run(machine, "demo").stderr


def test_missing_packages_are_installed_and_a_failure_is_shown(machine: Path) -> None:
    place(machine, "id", "echo 0")
    place(machine, "env", 'shift; exec "$@"')
    place(machine, "true", "")
    place(
        machine, "apt-get", 'echo "$@" >>"$HOME/asked"; echo "E: no route to the mirror"; exit 100'
    )
    done = run(machine, "demo")
    assert done.returncode == 1
    assert "E: no route to the mirror" in done.stderr
    assert "update" in (machine / "asked").read_text()


def test_a_step_that_takes_long_shows_dots_at_a_terminal(machine: Path) -> None:
    place(machine, "id", "echo 0")
    place(machine, "env", 'shift; exec "$@"')
    place(machine, "true", "")
    place(machine, "apt-get", "sleep 2.5; echo E: no route; exit 100")
    (machine / "bin" / "sleep").symlink_to("/bin/sleep")
    master, slave = pty.openpty()
    done = subprocess.run(
        [machine / "bootstrap", "demo"],
        env={"PATH": str(machine / "bin"), "HOME": str(machine)},
        stdin=subprocess.DEVNULL,
        stderr=slave,
        check=False,
    )
    os.close(slave)
    said = said_at(master).decode()
    assert done.returncode == 1
    assert re.search(r"installing the Debian packages .* …\r\n\.\.\r\x1b\[KE: no route\r\n", said)
    assert said.endswith("failed with exit code 100; its output is above.\r\n")


def test_prepared_it_goes_straight_to_the_demo(machine: Path) -> None:
    venv = machine / ".venv"
    (venv / "bin").mkdir(parents=True)
    place(machine, "geofence", 'echo "geofence $*"')
    (machine / "bin" / "geofence").rename(venv / "bin" / "geofence")
    (venv / "bin" / "python").symlink_to(machine / "bin" / "sh")
    stamp = subprocess.run(
        ["sh", "-c", f'echo "{machine} $(cksum <{machine}/pyproject.toml)"'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (venv / "geofence-run.stamp").write_text(stamp)
    done = run(machine, "demo", "--backend", "nftables")
    assert (done.stdout, done.stderr) == ("geofence demo --backend nftables\n", "")


LIBRARY = f"/opt/geofence/lib/python3.{sys.version_info.minor}"
SERVER = """
set -e
for place in /opt /etc/systemd/system; do mount -t tmpfs none "$place"; done
cp -R /usr/local/bin programs  # Python itself may be there
mount --bind programs /usr/local/bin
"$PYTHON" -m venv --without-pip /opt/geofence
{before}
{install}
ls /opt
find /opt/geofence/lib -mindepth 1 -maxdepth 1 -type d
/opt/geofence/bin/geofence --version
"""
"""A server of its own for as long as the script runs: what 'install' writes to is out of sight."""
UPGRADED = "mv /opt/geofence/lib/python3.* /opt/geofence/lib/python3.0"
"""What a release upgrade of the distribution leaves: Python's link is good, its libraries are not
where it looks."""
LATER = f"""
find /opt/geofence/lib -maxdepth 1 -type l -printf '%f %l\\n'
mv {LIBRARY} /opt/geofence/lib/python3.0
ln -s python3.0 {LIBRARY}
/opt/geofence/bin/geofence --version
./bootstrap install
"""
"""What this Python finds if it came after the one that geofence was installed with."""
WORKING = """
rm /opt/geofence/bin/python*  # never through a link into this machine's own programs
printf '#!/bin/sh\\necho 3.0\\n' >/opt/geofence/bin/python
printf '#!/bin/sh\\necho the old one\\n' >/opt/geofence/bin/geofence
chmod +x /opt/geofence/bin/*
"""
"""One of another Python, which still works."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose locks name a library that is at hand, in ``wheels`` beside it."""
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("geofence", "rules.d", "cron", "fail2ban"):
        shutil.copytree(TOP / name, checkout / name, ignore=ignored)
    for name in ("bootstrap", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(TOP / name, checkout)
    wheel = make_wheel(tmp_path / "wheels", "genuine = True\n")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for lock in ("requirements.lock", "requirements-build.lock"):
        (checkout / lock).write_text(f"zoned==1.0 --hash=sha256:{digest}\n")
    return checkout


def make_wheel(directory: Path, module: str) -> Path:
    """A wheel of the library ``zoned``, which is this one module."""
    directory.mkdir(exist_ok=True)
    path = directory / "zoned-1.0-py3-none-any.whl"
    about = "zoned-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("zoned.py", module)
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: zoned\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return path


def on_a_server(checkout: Path, before: str, install: str) -> str:
    """What a server says that geofence is installed on, without the network."""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", SERVER.format(before=before, install=install)],
        cwd=checkout,
        env={
            "PATH": os.environ["PATH"],
            "PYTHON": os.path.realpath(sys.executable),
            # Beside the library that the locks name, those of the tests.
            "PYTHONPATH": os.pathsep.join(site.getsitepackages()),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(checkout.parent / "wheels"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_install_makes_an_environment_of_another_python_anew(checkout: Path) -> None:
    said = on_a_server(checkout, UPGRADED, "./bootstrap install")
    assert said.split() == ["geofence", LIBRARY, *VERSION.split()]


def test_the_python_of_a_release_upgrade_still_finds_it(checkout: Path) -> None:
    said = on_a_server(checkout, "./bootstrap install", LATER)
    *links, name, version, top, library, _, _ = said.split()
    minor = sys.version_info.minor
    later = {f"python3.{minor + further}": f"python3.{minor}" for further in range(1, 9)}
    assert dict(zip(links[0::2], links[1::2], strict=True)) == later
    assert (f"{name} {version}", top, library) == (VERSION, "geofence", LIBRARY)


def test_where_a_library_is_not_the_one_pinned_the_installation_before_stays(
    checkout: Path,
) -> None:
    make_wheel(checkout.parent / "wheels", "genuine = False\n")
    script = "! ./bootstrap install 2>said; grep -o 'DO NOT MATCH THE HASHES' said"
    said = on_a_server(checkout, WORKING, script)
    assert said.splitlines()[:2] == ["DO NOT MATCH THE HASHES", "geofence"]
    assert "geofence.before" not in said
    assert said.endswith("the old one\n")


INSTALLED = f"""
./bootstrap install
test -e {LIBRARY}/site-packages/zoned.py
find /opt/geofence -name 'stale*'
find /opt/geofence /etc/systemd/system ! -type l '(' ! -perm -a+r -o -perm /go+w ')' ! -name system
find /opt/geofence -type d ! -perm -a+x
echo done
"""
"""Names what is installed and should not be, or not with these permissions."""


@pytest.mark.parametrize("mask", ["077", "000"])
def test_installed_files_are_readable_by_all_and_writable_by_root(
    checkout: Path, mask: str
) -> None:
    said = on_a_server(checkout, f"rm -r /opt/geofence; umask {mask}", INSTALLED)
    assert said.startswith("done\n")


OLDER = """
units=/etc/systemd/system
printf '[Service]\\nProtectSystem=strict\\n' >$units/geofence-restore.service
mkdir $units/geofence-.service.d
ln -s /dev/null $units/geofence-.service.d/ipset.conf
"""
"""Units of a version that had the sandbox in each, on a host that does without ipset."""
UPGRADE = """
./bootstrap install
cmp cron/geofence-restore.service $units/geofence-restore.service
cmp cron/geofence-.service.d/10-sandbox.conf $units/geofence-.service.d/10-sandbox.conf
readlink $units/geofence-.service.d/ipset.conf
"""


def test_an_upgrade_replaces_units_and_respects_a_drop_in_that_is_masked(checkout: Path) -> None:
    assert on_a_server(checkout, OLDER, UPGRADE).startswith("/dev/null\n")


@pytest.mark.parametrize(
    ("status", "refused"),
    [("installed", True), ("half-configured", True), ("config-files", False), ("", False)],
)
def test_install_leaves_a_debian_package_alone(
    machine: Path, status: str, *, refused: bool
) -> None:
    place(machine, "id", "echo 0")
    place(machine, "dpkg-query", f"echo {status}" if status else "exit 1")
    (machine / "bin" / "grep").symlink_to(shutil.which("grep") or "")
    said = run(machine, "install")
    assert said.returncode == 1
    assert ("apt-get remove geofence" in said.stderr) is refused
    assert ("no apt-get" in said.stderr) is not refused


def test_files_of_an_earlier_build_are_not_installed(checkout: Path) -> None:
    stale = checkout / "build" / "lib" / "geofence" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    assert on_a_server(checkout, "", INSTALLED).startswith("done\n")


def test_install_leaves_nothing_in_the_checkout(checkout: Path) -> None:
    before = set(checkout.rglob("*"))
    on_a_server(checkout, "", "./bootstrap install")
    assert set(checkout.rglob("*")) - {checkout / "programs"} - programs(checkout) == before


def programs(checkout: Path) -> set[Path]:
    """The copy of this machine's own, which the script makes."""
    return set((checkout / "programs").rglob("*"))


@pytest.mark.parametrize("name", [".venv", "build", "geofence.egg-info"])
def test_files_of_root_in_the_checkout_are_named(machine: Path, name: str) -> None:
    place(machine, "python3", "exit 0")
    left = machine / name
    left.mkdir()
    # Root may write everything, so the script is told otherwise.
    script = (machine / "bootstrap").read_text()
    (machine / "bootstrap").write_text(script.replace('[ -w "$left" ]', "false"))
    said = run(machine, "demo").stderr
    assert f"sudo rm -rf '{left}'" in said


def locked(name: str) -> dict[str, str]:
    """The versions that a lock names; each has a hash."""
    entries = (TOP / name).read_text().replace("\\\n", " ").splitlines()
    pins = [entry for entry in entries if not entry.startswith("#")]
    assert all("--hash=sha256:" in pin for pin in pins)
    return {name: rest.split()[0] for name, _, rest in (pin.partition("==") for pin in pins)}


def test_the_lock_names_all_that_geofence_needs() -> None:
    pins = locked("requirements.lock")
    wanted = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["dependencies"]
    seen: set[str] = set()
    while wanted:
        need = Requirement(wanted.pop())
        name = canonicalize_name(need.name)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        assert pins[name] in need.specifier
        if name not in seen:
            seen.add(name)
            wanted.extend(requires(name) or ())
    assert seen >= {"requests", "urllib3", "pyroute2"}


def test_the_lock_of_the_build_is_new_enough() -> None:
    wanted = tomllib.loads((TOP / "pyproject.toml").read_text())["build-system"]["requires"]
    pins = locked("requirements-build.lock")
    for need in map(Requirement, wanted):
        assert pins[need.name] in need.specifier


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "exec ./bootstrap test\n" in (TOP / ".ci" / "run").read_text()
    assert "./bootstrap test\n" in (TOP / "README.md").read_text(encoding="utf-8")
