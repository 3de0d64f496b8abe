"""Completion scripts of bash, zsh and fish, as packages install them.

``python -m tools.completion DIRECTORY`` writes ``geofence`` (bash), ``_geofence`` (zsh) and
``geofence.fish``. The scripts are typer's; they ask geofence itself at each Tab.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from typer._completion_shared import get_completion_script

_FILES: Mapping[str, str] = {"bash": "geofence", "zsh": "_geofence", "fish": "geofence.fish"}
_ZSH_AUTOLOADED = """\

# Loaded as a function at the first Tab: complete that one, too.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _geofence_completion "$@"
fi"""


def scripts() -> Mapping[str, str]:
    """Return each script by its file name."""
    made = {
        shell: get_completion_script(
            prog_name="geofence", complete_var="_GEOFENCE_COMPLETE", shell=shell
        )
        for shell in _FILES
    }
    made["zsh"] += _ZSH_AUTOLOADED
    return {_FILES[shell]: f"{script}\n" for shell, script in made.items()}


def main(directory: Path) -> None:
    """Write the scripts."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, script in scripts().items():
        (directory / name).write_text(script, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
