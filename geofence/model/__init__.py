"""Frozen values that the pipeline passes along: no I/O, no clock, no environment."""
