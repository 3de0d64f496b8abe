"""What Asterisk's configuration says: where it listens, and whom it talks to."""
