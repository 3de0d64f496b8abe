"""fail2ban action that bans through geofence, on both of its backends, IPv4 and IPv6.

One process, ``geofence ban --lines``, takes all bans on a pipe; nothing is started per ban. A
thread feeds it, so fail2ban never waits for it. What geofence refuses, such as an address that an
exception allows, is logged as a warning.

Tested with fail2ban 1.0.2. To install it, see docs/operation.md of geofence. In a jail::

    action = geofence.py[command="/usr/local/bin/geofence", timeout=20]
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import subprocess
import threading
import time
from collections import deque
from pathlib import Path

from fail2ban.server.action import ActionBase

_AT_ONCE = 256
"""Lines that are given before their answers are read: together they fit into a pipe."""
_MOST_WAITING = 200_000
_PLACE = "/run/fail2ban"
_NONE = "unknown"
"""What is told where geofence has not answered."""
_SLACK = 3
"""Seconds by which fail2ban's end of a ban and geofence's may differ."""
_LONGEST_REASON = 200


class GeofenceAction(ActionBase):
    """Bans through one geofence process that is kept."""

    def __init__(self, jail, name, command="/usr/local/bin/geofence", timeout=20):
        """Take the options of the jail's ``action`` line.

        Args:
            jail: the jail.
            name: of the action.
            command: geofence.
            timeout: seconds after which a geofence process that does not answer is replaced.
        """
        super().__init__(jail, name)
        self.reload(command, timeout)
        self._orders = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._worker = None
        self._child = None
        self._said = b""
        self._banned = {}
        self._warned = False
        self._place = f"{_PLACE}/geofence-{jail.name}"
        self._pipes = {}

    def clearAllParams(self):  # noqa: N802 - fail2ban's name
        """Let a reload keep this action, with new options."""

    def reload(self, command="/usr/local/bin/geofence", timeout=20):
        """Take other options."""
        self.command = command
        self.timeout = float(timeout)

    @property
    def _prolongable(self):
        return True

    def start(self):
        """Start the thread that feeds geofence."""
        self._ending = False
        self._open_pipes()
        self._worker = threading.Thread(target=self._work, name="geofence", daemon=True)
        self._worker.start()

    def stop(self):
        """Wait a while until geofence has done all, then end it."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._worker is not None:
            self._worker.join(2 * self.timeout)
            self._worker = None
        self._close_pipes()

    def ban(self, ticket):
        """Ban an address until fail2ban will unban it."""
        address, end = str(ticket["ip"]), _end(ticket)
        left = None if end is None else int(end - time.time() + 0.999)
        if left is not None and left < 1:
            return
        self._banned[address] = end
        reason = f"fail2ban: {self._jail.name}, {ticket['failures']} failures"[:_LONGEST_REASON]
        self._order(f"ban {address} {'-' if left is None else left} {_line(reason)}")

    reban = ban
    prolong = ban

    def unban(self, ticket):
        """End a ban before its time. At its time it ends by itself, in the kernel."""
        address = str(ticket["ip"])
        end = self._banned.pop(address, _end(ticket))
        if end is None or end > time.time() + 1:
            self._order(_unban(address, end))

    def flush(self):
        """End all bans of this action that have time left."""
        banned, self._banned = self._banned, {}
        for address, end in banned.items():
            if end is None or end > time.time() + 1:
                self._order(_unban(address, end))
        return True

    def _order(self, line):
        with self._changed:
            if len(self._orders) >= _MOST_WAITING:
                self._logSys.error("[%s] geofence is too slow; dropped: %s", self._jail.name, line)
                return
            self._orders.append(line)
            self._changed.notify()

    def _work(self):
        while lines := self._next():
            for _ in range(2):  # again if geofence ended, as for an upgrade
                lines = self._give(lines)
                if not lines:
                    break
            for line in lines:
                self._logSys.error("[%s] geofence did not do: %s", self._jail.name, line)
                self._judge(line, _NONE)
        self._end()

    def _next(self):
        with self._changed:
            while not self._orders and not self._ending:
                self._changed.wait()
            count = min(len(self._orders), _AT_ONCE)
            return [self._orders.popleft() for _ in range(count)]

    def _give(self, lines):
        """Give lines to geofence; return those that it has not answered."""
        answered = 0
        try:
            child = self._running()
            with contextlib.suppress(BrokenPipeError):  # what it said before it ended tells more
                child.stdin.write("".join(f"{line}\n" for line in lines).encode())
                child.stdin.flush()
            deadline = time.monotonic() + self.timeout
            while answered < len(lines):
                self._judge(lines[answered], self._answer(child, deadline))
                answered += 1
        except (OSError, EOFError, TimeoutError) as error:
            self._logSys.error("[%s] geofence: %s", self._jail.name, error)
            self._end(kill=True)
        return lines[answered:]

    def _running(self):
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._end()
        self._said = b""
        self._child = subprocess.Popen(  # noqa: S603 - the operator's command
            [self.command, "ban", "--lines"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
        )
        return self._child

    def _answer(self, child, deadline):
        """Return the next line that geofence says.

        Raises:
            EOFError: it ended.
            TimeoutError: it says nothing.
        """
        while b"\n" not in self._said:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
                raise TimeoutError(f"no answer within {self.timeout:g} seconds")
            data = os.read(child.stdout.fileno(), 1 << 16)
            if not data:
                raise EOFError(self._said.decode(errors="replace").strip() or "it ended")
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        return line.decode(errors="replace")

    def _judge(self, line, answer):
        """Log what an answer says, if it is anything to be known."""
        word, _, rest = answer.partition(" ")
        verb, _, target = line.partition(" ")
        if verb == "covering":
            self._tell(target, word)
            return
        if word == "ok":
            self._warn_without_fence(without=rest == "no-fence")
            return
        if answer == _NONE:
            return
        if word != "error":
            raise EOFError(answer)
        kind, _, sentence = rest.partition(" ")
        if kind == "refused":
            self._logSys.warning("[%s] geofence: %s", self._jail.name, sentence)
        elif kind in ("not-banned", "lasts-longer"):
            self._logSys.info("[%s] geofence: %s", self._jail.name, sentence)
        else:
            self._logSys.error("[%s] geofence: %s (%s)", self._jail.name, sentence, line)

    def _open_pipes(self):
        """Make the named pipes by which geofence-covering.sh asks, and a thread that listens."""
        try:
            for name in ("ask", "answer"):
                path = f"{self._place}.{name}"
                Path(path).unlink(missing_ok=True)
                os.mkfifo(path, stat.S_IRUSR | stat.S_IWUSR)
                self._pipes[name] = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:  # the script asks a geofence of its own
            self._logSys.warning("[%s] geofence: %s", self._jail.name, error)
            self._close_pipes()
            return
        threading.Thread(target=self._listen, name="geofence-ask", daemon=True).start()

    def _listen(self):
        """Pass questions on; the answers come from the thread that feeds geofence."""
        with contextlib.suppress(OSError, KeyError, ValueError):  # the pipes were closed
            while not self._ending:
                if select.select([self._pipes["ask"]], [], [], 1)[0]:
                    for asked in os.read(self._pipes["ask"], 4096).decode().split():
                        self._order(f"covering {asked}")

    def _tell(self, address, said):
        with contextlib.suppress(OSError, KeyError):
            os.write(self._pipes["answer"], f"{address} {said}\n".encode())

    def _close_pipes(self):
        pipes, self._pipes = self._pipes, {}
        for name, descriptor in pipes.items():
            os.close(descriptor)
            with contextlib.suppress(OSError):
                Path(f"{self._place}.{name}").unlink()

    def _warn_without_fence(self, *, without):
        if without and not self._warned:
            self._logSys.warning(
                "[%s] geofence: no fence is up; bans count once one is. Run 'geofence status'.",
                self._jail.name,
            )
        self._warned = without

    def _end(self, *, kill=False):
        """End the process; it ends by itself when nothing more can come."""
        child, self._child = self._child, None
        if child is None:
            return
        if kill:
            child.kill()
        with contextlib.suppress(OSError):
            child.stdin.close()
        try:
            child.wait(self.timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def _end(ticket):
    """Return when a ban ends, in seconds since the epoch; None: never."""
    lasting = int(ticket["bantime"])
    return None if lasting < 0 else float(ticket["time"]) + lasting


def _unban(address, end):
    """Return the line that ends a ban, but not one by somebody else that lasts longer."""
    if end is None:
        return f"unban {address}"
    return f"unban {address} {max(int(end - time.time()), 0) + _SLACK}"


def _line(text):
    return " ".join(text.split())


Action = GeofenceAction
