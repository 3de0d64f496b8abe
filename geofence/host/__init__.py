"""What this machine says: who may change geofence's files, privilege, and the system log."""
