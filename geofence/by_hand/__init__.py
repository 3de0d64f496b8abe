"""What ``allow`` and ``revoke`` make of the command line's rules file.

``request`` is what they are asked for, ``allowing`` and ``revoking`` are the answers: the file's
new content, and notes on what that means. No I/O.
"""
