"""What people type and read: verbs parse, call one operation, print, and give an exit code."""
