"""The cycle tests against a real API server: ``python -m tests.clusters.real``."""
