"""Netlink for all of geofence that speaks it: attributes, messages, and one socket.

All but ``socket`` are pure functions. Data that is cut short or lies about its length is refused
(``MalformedError``), never read past or waited for.
"""
