"""Running CMD as if it were alone."""
