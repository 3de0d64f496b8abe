"""Rules files in, a checked policy out; errors name file and line.

``files`` reads the drop-ins, ``toml_tree`` parses and merges them (``toml_lines`` knows where each
key stands), ``schema`` says what they may contain, ``load`` puts these together. ``naming`` finds
exceptions by name. ``owned`` reads and writes the file that the command line owns,
``leftovers`` holds it against the other files.
"""

from geofence.policy.load import load_policy
from geofence.policy.naming import exceptions_named
from geofence.policy.owned import OWNED_FILE, read_owned

__all__ = ["OWNED_FILE", "exceptions_named", "load_policy", "read_owned"]
