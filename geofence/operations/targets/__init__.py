"""Verbs with ``--target``: the fence of a cluster, by the same rules, lists, checks and records.

``site`` is one target with its own state, ``desired`` what it should hold, ``observe`` what the
cluster holds, ``shown`` the difference as a plan, ``commit`` brings it about; the rest are verbs.
"""
