"""The world's addresses: countries, the index of all of them, their map, and special prefixes."""
