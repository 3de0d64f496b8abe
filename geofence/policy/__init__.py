"""Rules on disk to a policy, with errors that name file and line.

``files`` reads the drop-ins, ``tree`` parses and merges them (``locate`` knows the lines),
``schema`` says what they may contain, ``load`` puts these together. ``owned`` writes the one file
that the command line owns, ``naming`` finds exceptions by name.
"""

from geofence.countries import country_name
from geofence.policy.load import load_policy
from geofence.policy.naming import exceptions_named
from geofence.policy.switches import OWNED_FILE, with_enabled

__all__ = ["OWNED_FILE", "country_name", "exceptions_named", "load_policy", "with_enabled"]
