"""Docs say what the code does."""
