"""Fences of clusters: what engines there are asked to hold, as objects of their APIs.

All is pure: ``ClusterFence`` is what a target fences, an ``Engine`` makes objects of it and reads
them back. ``geofence.operations`` sends them, or writes them to files.
"""
