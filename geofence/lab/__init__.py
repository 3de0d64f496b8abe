"""Throw-away networks with real packets: the ground that ``geofence demo`` and the tests stand on.

A ``Host`` is a network namespace of this process, a ``Lab`` a few of them wired together: the
Internet, a PBX and a container behind it. ``Probe`` says what to send, and an ``Observer`` tells
what came through the fence. Nothing here touches the namespace that the process was started in.
"""
