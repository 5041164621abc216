"""Real clients against real receivers."""
