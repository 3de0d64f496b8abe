"""Rules files in, a checked policy out; errors name file and line.

``files`` reads the drop-ins, ``toml_tree`` parses and merges them (``toml_lines`` knows where each
key stands), ``schema`` says what they may contain, ``load`` puts these together. ``switches`` finds
exceptions by name, and writes the one file that the command line owns.
"""

from geofence.policy.load import load_policy
from geofence.policy.switches import OWNED_FILE, exceptions_named, with_enabled

__all__ = ["OWNED_FILE", "exceptions_named", "load_policy", "with_enabled"]
