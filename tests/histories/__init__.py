"""Real histories of country lists, replayed day by day through the guards."""
