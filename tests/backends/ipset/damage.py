"""What other tools and tired operators do to a fence of this backend."""

from __future__ import annotations

DAMAGE = {
    "its rules flushed": "iptables -t mangle -F PREROUTING",
    "the whole table flushed": "ip6tables -t mangle -F",
    "a rule put in front": "iptables -t mangle -I PREROUTING -p udp --dport 5060 -j ACCEPT",
    "the jump there twice": "iptables -t mangle -A PREROUTING -j GEOFENCE",
    "a chain emptied": "ip6tables -t mangle -F GEOFENCE-sip",
    "the chain to its chains emptied": "iptables -t mangle -F GEOFENCE",
    "a rule in front that lets all pass": "iptables -t mangle -I PREROUTING -j ACCEPT",
    "a rule of its own added": "iptables -t mangle -I GEOFENCE-sip -j ACCEPT",
    "a set emptied": "ipset flush geofence-allow4",
    "an entry added": "ipset add geofence-allow6 2a00::/12",
    "a network gone from the prefilter": "ipset flush geofence-near4-sip",
    "an entry deleted": "ipset del geofence-except4-sip 35.185.177.49",
}
"""One command each."""
