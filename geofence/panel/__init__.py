"""The panel: the report, live in a browser on this host, and a few actions.

Two processes. The one that talks to the browser has no privilege: it shows what it is given. The
other is root; it listens on a Unix socket that only the first may use, and knows a handful of
questions (``protocol``). So whoever takes over the first can ask these, and nothing else.
"""
