"""Networks and routes of this host, and which private networks are trusted on which interface."""
