"""A process that changes fence and shield, to be killed: ``python -m tests.shield.victim``."""

from __future__ import annotations

import sys
from pathlib import Path

from geofence.model.policy import BackendChoice
from geofence.operations.apply import apply
from geofence.operations.commit import Wish
from geofence.operations.remove import remove
from geofence.operations.shield_keeper import Keeper
from geofence.operations.site import Site
from tests.shield.scene import SOON


def main() -> None:
    """Do what the arguments say, once a line comes."""
    rules, state, bpf, backend, how, what = sys.argv[1:]
    site = Site(
        rules_directory=Path(rules),
        state_directory=Path(state),
        bpf_directory=Path(bpf),
        backend=BackendChoice(backend),
        log_changes=False,
    )
    from geofence.shield import loading

    loading.kernel_side()
    site.policy()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    if what == "remove":
        remove(site)
        return
    if what == "apply":
        apply(site, Wish("apply", ("shut-out",)))
    Keeper(site, SOON, tcx=how == "tcx").look(changed=True)


if __name__ == "__main__":
    main()
