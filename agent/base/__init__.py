"""The ground: files, locks, clocks, the state directory."""
