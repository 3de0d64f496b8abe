"""A Kubernetes API server on the loopback that keeps the facts that matter to a fence.

``server`` speaks HTTPS, ``cluster`` keeps the objects and refuses what a real server refuses,
``apply`` is server-side apply with its managed fields, ``kinds`` what is served and how, ``checks``
what a real server says of NetworkPolicies. What it does was measured on a real API server 1.36; the
same tests run against a real one with 'python -m tests.clusters.real'.
"""

from tests.clusters.fake.cluster import Cluster, Quota, Webhook
from tests.clusters.fake.refusal import Refusal
from tests.clusters.fake.server import TOKEN, FakeApi, Fault, FaultKind

__all__ = ["TOKEN", "Cluster", "FakeApi", "Fault", "FaultKind", "Quota", "Refusal", "Webhook"]
