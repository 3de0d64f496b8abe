"""Runs commands for ``measure`` in a process of its own that stays small.

The kernel counts what a process held before it became another program in that program's peak
memory, so whoever starts what is measured must hold next to nothing: no imports beyond these.

One request a line of JSON on standard input: ``[command, file for its standard input]``. One
answer a line: ``[exit code, seconds, processor seconds, peak kilobytes, what it printed]``.
"""

import json
import os
import subprocess
import sys
import time


def main() -> None:
    """Serve until standard input ends."""
    for line in sys.stdin:
        command, given = json.loads(line)
        with open(given, "rb") as source:  # noqa: PTH123 - pathlib would be the largest import
            begun = time.perf_counter()
            process = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE)
            said = process.stdout.read() if process.stdout else b""
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        busy = usage.ru_utime + usage.ru_stime
        answer = [process.returncode, seconds, busy, usage.ru_maxrss, said.decode(errors="replace")]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
