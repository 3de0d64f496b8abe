"""``setup``: rules for this host, from what it looks at and from what it asks.

``machine`` is what was found, ``answers`` what was asked, ``proposal`` the rules that follow from
both. These have no I/O. Each other module looks at one thing of the machine, or changes one.
"""
