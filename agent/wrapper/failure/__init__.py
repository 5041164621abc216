"""Where a script failed."""
