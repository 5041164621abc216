"""What every other room stands on: files, locks, clocks, the state directory and acting as its owner."""
