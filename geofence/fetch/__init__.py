"""Fetching of lists: the only part of geofence that talks to list sources and to DNS."""
