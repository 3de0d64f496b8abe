"""Parsers of the formats in which publishers write lists: pure functions on bytes."""
