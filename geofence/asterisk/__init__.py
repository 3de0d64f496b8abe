"""What Asterisk's configuration says: where it listens, and whom it talks to.

``reader`` makes a ``Reading`` of a directory. ``lines``, ``sections``, ``patterns`` and ``loading``
are Asterisk's grammar. ``configuration`` knows which files and objects count, and ``transports``,
``peers``, ``endpoints``, ``wizard``, ``media``, ``web`` and ``iax`` read one kind each. Only
``directory`` opens files. ``derived`` says what a policy gains from a reading.
"""
