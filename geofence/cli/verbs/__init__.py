"""The verbs by task: a module is a panel of ``geofence --help``.

Operations and views are imported by the verb that uses them, so that no command waits for what
another needs: ``restore`` at boot starts in half the time.
"""
