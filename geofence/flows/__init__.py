"""Live flows: who is talking to this host now, whom a change would touch, and how to cut them off.

``flow`` and ``impact`` are pure; ``wire`` is netlink as bytes; ``conntrack`` alone asks the kernel.
"""
