"""Netlink as bytes, for all of geofence that speaks it: messages, and the attributes in them.

Pure functions, and nothing of what a subsystem means by its messages. What is cut short or lies
about its length is refused (``MalformedError``), never read past or waited for.
"""
