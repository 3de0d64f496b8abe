"""geoip-shell, a peer: its update, from a directory of lists in the place of a server.

Its code is not ours, so its checkout is named on the command line. It is installed over a copy of
the system's directories (overlayfs), which goes with this process's mount namespace.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Subject
from geofence.model.prefixes import Family

_DIRECTORIES = ("etc", "usr", "var")
_FETCHER = """\
#!/bin/sh
# Answers as curl would, with what ipdeny.com would send.
case "$*" in
*--version*) echo "Protocols: file http https"; exit ;;
*--help*) exit ;;
*--write-out*) printf 301; exit ;;
esac
for last; do :; done
family=ipv4
case $last in *ipv6*) family=ipv6 ;; esac
case $last in
*-aggregated.zone)
    country=${{last##*/}}
    exec grep -v '^#' "{lists}/${{country%-aggregated.zone}}/$family-aggregated.txt"
    ;;
esac
for country in {codes}; do echo "$country-aggregated.zone $(date +%d-%b-%Y)"; done
"""
_CONFIGURE = ("geoip-shell", "configure", "-z", "-m", "whitelist", "-u", "ipdeny")
_MORE = ("-i", "all", "-l", "none", "-r", "none", "-n", "true", "-o", "true", "-s", "disable")
"""All interfaces, no local networks, and neither jobs at boot, backups nor times of day."""
_UPDATE = ("sh", "-c", "exec geoip-shell-run.sh update -f -o 2>&1")


class GeoipShell:
    """An installed geoip-shell."""

    def __init__(self, checkout: Path, lists: Path) -> None:
        """Take one that is installed.

        Args:
            checkout: where its code is.
            lists: where the countries' lists are.
        """
        self._checkout = checkout.resolve()
        text = (checkout / "cca2.list").read_text()
        known = {code for line in text.splitlines() for code in line.partition("=")[2].split()}
        self._codes = sorted(known & {each.name.upper() for each in lists.iterdir()})

    def update(self, countries: Sequence[str], families: Sequence[Family]) -> Subject:
        """Configure a policy, and return what updates it.

        Args:
            countries: none for all that it knows.
            families: of addresses.
        """
        codes = [code.upper() for code in countries] or self._codes
        wanted = ("-c", " ".join(codes), "-f", " ".join(map(str, families)), "-w", "nft")
        # Anew, since it cannot go from one policy to another that holds all of the first.
        for script in ("uninstall", "install"):
            _run("sh", str(self._checkout / f"geoip-shell-{script}.sh"), "-z")
        _run(*_CONFIGURE, *wanted, *_MORE)
        return Subject("geoip-shell update, nft", _UPDATE)


@contextmanager
def installed(checkout: Path, lists: Path, scratch: Path) -> Iterator[GeoipShell]:
    """Install it, and remove it again."""
    overlay = scratch / "overlay"
    overlay.mkdir()
    mounted = [overlay]
    _run("mount", "-t", "tmpfs", "tmpfs", str(overlay))
    try:
        for name in _DIRECTORIES:
            over, work, place = overlay / name, overlay / f"{name}.work", Path("/", name)
            over.mkdir()
            work.mkdir()
            layers = f"lowerdir={place},upperdir={over},workdir={work}"
            _run("mount", "-t", "overlay", "overlay", "-o", layers, str(place))
            mounted.append(place)
        codes = " ".join(sorted(each.name for each in lists.iterdir()))
        fetcher = Path("/usr/bin/curl")
        fetcher.write_text(_FETCHER.format(lists=lists.resolve(), codes=codes))
        fetcher.chmod(0o755)
        _run("sh", str(checkout.resolve() / "geoip-shell-install.sh"), "-z")
        yield GeoipShell(checkout, lists)
    finally:
        for place in reversed(mounted):
            _run("umount", "--lazy", str(place))


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise SystemExit(f"{' '.join(command)[:200]}: exit code {done.returncode}\n{said}")
