"""The proofs. Start them with tests/run."""
