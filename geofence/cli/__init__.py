"""The command line: verbs parse, call one operation, print, and give an exit code.

``root`` is the command itself with its options, ``verbs`` holds the verbs by task (a module is a
panel of ``geofence --help``), ``options`` what several of them take. ``arguments`` turns what was
typed into values, ``views`` turns reports into text and JSON, ``app`` puts all of it together.
"""
