"""Rules of other programs that change what the fence sees or what it is asked about.

Two kinds matter to the fence. A rule that keeps packets of a fenced port out of connection tracking
(``NOTRACK``) makes replies to the PBX look like connections that strangers begin. A rule that
redirects another port to a fenced one opens a second door.

More matter to who looks for a fault: a firewall that drops what the fence allows, or accepts it
before the fence is asked (see ``filtering``).
"""

from geofence.other_rules.facts import Direction, OtherRules, Redirected, Untracked
from geofence.other_rules.programs import read_other_rules

__all__ = ["Direction", "OtherRules", "Redirected", "Untracked", "read_other_rules"]
