"""What is said: catalogue, identity, facts."""
