"""Judges the shield on an installed Debian that has just booted; copied into it.

Nothing of geofence is imported: it runs with Debian's Python, and leaves what it found in a file.
"""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PBX = "198.51.100.10"
STRANGER, PHONE = "45.83.64.99", "133.1.2.3"
FOUND = Path("/exchange/found.json")
UNIT = "geofence-shield.service"
MINUTE = 70
"""Seconds after which its counts are read anew."""
PATIENCE = 600
"""Seconds until the shield is as it should be; an emulated machine is slow."""


def run(*command: str) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout.strip()


def shield() -> dict[str, object]:
    """Return what 'geofence status' says of it."""
    done = subprocess.run(
        ["geofence", "status", "--json"], capture_output=True, text=True, check=False
    )
    try:
        return dict(json.loads(done.stdout)["shield"])
    except (ValueError, KeyError, TypeError):
        return {"state": (done.stdout + done.stderr).strip()}


def becomes(wanted: str) -> dict[str, object]:
    """Wait for a state; what was there at the end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = shield()
        if found["state"] == wanted or time.monotonic() > deadline:
            return found
        time.sleep(1)


def in_internet(*command: str) -> list[str]:
    return ["ip", "netns", "exec", "internet", *command]


def call(source: str, times: int) -> None:
    """Send so many requests, and print how many were answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.bind((source, 0))
        sending.settimeout(0.1 if source == STRANGER else 5)
        answered = 0
        for _ in range(times):
            sending.sendto(b"OPTIONS sip:a SIP/2.0\r\n\r\n", (PBX, 5060))
            with suppress(TimeoutError):
                answered += sending.recv(100).startswith(b"SIP/2.0 401")
    sys.stdout.write(f"{answered}\n")


def answered(source: str, times: int = 20) -> int:
    return int(run(*in_internet(sys.executable, __file__, source, str(times))))


def left_in_kernel() -> list[str]:
    """Return what of the shield is in the kernel."""
    shown = [*Path("/sys/fs/bpf").glob("geofence*")]
    filters = run("tc", "filter", "show", "dev", "wan", "ingress")
    return [*map(str, shown), *(["filter"] if "geofence" in filters else [])]


def timestamps() -> list[int]:
    fence = run(*_SHOW, "ActiveEnterTimestampMonotonic", "geofence-restore.service")
    process = run(*_SHOW, "ExecMainStartTimestampMonotonic", UNIT)
    return [int(fence), int(process)]


_SHOW = ("systemctl", "show", "--value", "--property")


def judged() -> dict[str, object]:
    """Attack; look at the shield booted, stopped, started, and removed with its fence."""
    found: dict[str, object] = {"kernel": os.uname().release}
    attacking = in_internet(sys.executable, __file__, STRANGER, "1000000")
    with subprocess.Popen(attacking, stdout=subprocess.DEVNULL) as attack:
        found["booted"] = becomes("armed")
        found["times"] = timestamps()
        found["phone"], found["stranger"] = answered(PHONE), answered(STRANGER)
        time.sleep(MINUTE)
        found["later"] = shield()
        run("systemctl", "stop", UNIT)
        found["stopped"], found["left"] = shield(), left_in_kernel()
        found["stranger stopped"] = answered(STRANGER)
        run("systemctl", "start", UNIT)
        found["started"] = becomes("armed")
        found["remove"] = run("geofence", "remove")
        found["removed"], found["left removed"] = shield(), left_in_kernel()
        found["stranger removed"] = answered(STRANGER)
        attack.terminate()
    found["journal"] = run("journalctl", "--boot", "--no-pager", "--unit", UNIT)
    return found


def main() -> None:
    """Judge, tell, and power off."""
    try:
        FOUND.write_text(json.dumps(judged()))
    finally:
        Path("/exchange/journal").write_text(run("journalctl", "--boot", "--no-pager"))
        run("systemctl", "--no-block", "poweroff")


if __name__ == "__main__":
    if sys.argv[1:]:
        call(sys.argv[1], int(sys.argv[2]))
    else:
        main()
