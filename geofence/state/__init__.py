"""The state directory: accepted lists, generations, the lock, and what runs leave each other."""
