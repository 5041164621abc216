"""Events in SQLite or PostgreSQL: the SQL, a module per subject. Values are always passed as parameters.

The time of a question depends on the period, the number of instances, the rows of a page or the failures at
one place. It never depends on the number of stored events.
"""
