"""Side-by-side figures: `python -m bench NAME`."""
