"""Denied sources: what the kernel has noted of them, joined and grouped, and which to forget."""
