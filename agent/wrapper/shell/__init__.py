"""A shell script: which one CMD is, and what its text says."""
