"""Where events wait: database, outbox, and how finished runs come in."""
