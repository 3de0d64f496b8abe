"""Puts the parts together: one function for each thing an operator asks for.

Here the clock is read and the edges meet (rules on disk, lists from the network, the state
directory, the kernel); what they exchange is decided by pure functions elsewhere.
"""
