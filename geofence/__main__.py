"""``python -m geofence`` and the ``geofence`` command."""

from geofence.cli.app import main

if __name__ == "__main__":
    main()
