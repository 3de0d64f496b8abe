"""``doctor``: what leads to silence, to lost calls or to a false sense of safety on this host.

Checks are pure functions of ``Evidence``, grouped by subject. What could not be read is evidence,
too: nothing is taken for healthy because nobody could look.
"""
