"""The shield: a BPF program at tc ingress that drops what the fence would certainly drop.

``design``, ``tables``, ``program``, ``decision`` and ``obstacles`` are pure functions of the
ruleset and of facts of the host. ``bpf``, ``btf``, ``attachment``, ``audit``, ``pins`` and ``host``
each speak to one interface of the kernel.
"""
