"""The systemd journal as the reader of standard error.

Sources: systemd.exec(5) for ``JOURNAL_STREAM``, sd-daemon(3) for priorities.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def is_connected(environment: Mapping[str, str]) -> bool:
    """Whether standard error is connected to the journal."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def with_priority(text: str, priority: int) -> str:
    """Return text with the priority before each line, as the journal reads it.

    Args:
        text: one or more lines, each of which the journal stores as an entry.
        priority: from 0 (emergency) to 7 (debug), as syslog(3) numbers them.
    """
    return "\n".join(f"<{priority}>{line}" for line in text.splitlines())
