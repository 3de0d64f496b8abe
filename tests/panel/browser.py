"""Debian's Chromium without a window, driven by its own driver."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from geofence.lab.host import Host

TOP = Path(__file__).parents[2]
DOWNLOADED = TOP / ".venv" / "peers-browser"
_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>/usr/share/fonts</dir>
<dir>{unpacked}/usr/share/fonts</dir>
<cachedir>{unpacked}/fonts</cachedir>
</fontconfig>
"""
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root, in a network namespace of the test
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
)

_PATIENCE = 180.0
"""Seconds for a script that looks through a page: it takes one, but not on a busy machine."""


def unpacked(place: Path) -> Path:
    """Unpack the packages, once."""
    packages = sorted(DOWNLOADED.glob("*.deb"))
    assert packages, "./bootstrap test downloads them, as root and with apt"
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, place], check=True)
    (place / "fonts.conf").write_text(_FONTS.format(unpacked=place))
    return place


@contextmanager
def browser(host: Host, place: Path, profile: Path, *more: str) -> Iterator[Chrome]:
    """A browser on a host of the lab."""
    options = ChromeOptions()
    options.binary_location = str(place / "usr/lib/chromium/chromium")
    for option in (*_OPTIONS, f"--user-data-dir={profile}", *more):
        options.add_argument(option)
    libraries = place / "usr/lib/x86_64-linux-gnu"
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": f"{libraries}:{libraries}/pulseaudio",
        "FONTCONFIG_FILE": str(place / "fonts.conf"),
        "HOME": str(profile.parent),
        "NO_PROXY": "*",
    }
    with host.entered():
        service = ChromeService(str(place / "usr/bin/chromedriver"), env=environment)
        driver = Chrome(options=options, service=service)
    driver.set_script_timeout(_PATIENCE)
    try:
        yield driver
    finally:
        driver.quit()
