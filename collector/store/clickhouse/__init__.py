"""The event store in ClickHouse.

Every number is computed from the events, so an event that is sent again changes none. What expired is summed
up in tables of its own (`past_…`), in steps that may be repeated too.

The SQL is what both ClickHouse 18.16 and today's versions run.
"""
