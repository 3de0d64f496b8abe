"""The oracle on trial: what geofence says about a packet, held against what the kernel does.

Random policies, lists and exceptions are applied in a throw-away network; random packets are really
sent; for each, ``verdict.decide`` must say what was seen. ``python -m tests.oracle --help``.
"""
