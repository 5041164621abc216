"""Keys, users, import, export, demo data."""
