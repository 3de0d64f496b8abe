"""This machine: ownership of files, privilege, and the system log."""
