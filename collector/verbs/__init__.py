"""Verbs of `rollcall-collector` that are not in cli.py: their options, and what they do."""
