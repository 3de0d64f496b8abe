"""Live flows: the connections of this host, what a change means for them, and how to cut them.

``flow`` and ``impact`` are pure, ``conntrack_messages`` is netlink as bytes. ``conntrack`` asks the
kernel for flows, ``interfaces`` for the ways to their sources.
"""
