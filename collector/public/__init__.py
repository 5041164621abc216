"""What is shown to everybody about a source, if its vendor allows that."""
