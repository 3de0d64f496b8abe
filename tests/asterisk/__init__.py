"""Tests of reading Asterisk's configuration, and of what follows from it."""
