"""What other tools and tired operators do to a fence of this backend."""

from __future__ import annotations

DAMAGE = {
    "its table deleted": "nft delete table inet geofence",
    "its rules flushed": "nft flush table inet geofence",
    "a chain emptied": "nft flush chain inet geofence fence-sip",
    "the chain to its chains emptied": "nft flush chain inet geofence prerouting",
    "a rule in front that lets all pass": "nft insert rule inet geofence prerouting counter accept",
    "its table put to sleep": "nft add table inet geofence { flags dormant; }",
    "a set emptied": "nft flush set inet geofence allow4",
    "an entry added": "nft add element inet geofence allow6 { 2a00::/12 }",
    "an entry deleted": "nft delete element inet geofence except4-sip { 35.185.177.49 }",
}
"""One command each."""
