"""What the operator can ask for, a module for each kind of wish."""
