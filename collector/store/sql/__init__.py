"""Events in SQLite or PostgreSQL: the SQL, a module per subject."""
