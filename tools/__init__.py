"""Commands for maintainers, not installed: translations and recorded data."""
