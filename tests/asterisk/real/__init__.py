"""A real Asterisk, Debian sid's, on hosts of a lab."""
