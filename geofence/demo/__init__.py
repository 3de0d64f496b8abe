"""``geofence demo``: all of it at work on real packets, in a network that exists for seconds."""

from geofence.demo.script import run_demo

__all__ = ["run_demo"]
"""``run_demo`` gives the exit code: failed, if one packet did otherwise than the rules say."""
