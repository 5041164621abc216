"""The tables of the outbox's database."""

from __future__ import annotations

VERSION = 1
APPLICATION_ID = 0x526F6C6C
"""Marks the file as ours, so that another program's database is never taken for it."""

SCHEMA = (
    """
    CREATE TABLE event (
        seq         INTEGER PRIMARY KEY,
        message_id  TEXT NOT NULL UNIQUE,
        name        TEXT NOT NULL,
        endpoint    TEXT,             -- the only one it may go to; NULL: none was set yet
        slot        INTEGER,          -- which scheduled heartbeat this is; one is stored per number
        state       TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN
                    ('waiting', 'sent', 'rejected', 'dropped', 'exported', 'deleted')),
        payload     TEXT,             -- the exact text that is sent
        bytes       INTEGER NOT NULL,
        recorded_at TEXT NOT NULL,
        settled_at  TEXT,
        CHECK ((payload IS NULL) = (state = 'deleted')),
        CHECK ((settled_at IS NULL) = (state = 'waiting'))
    )""",
    "CREATE INDEX event_waiting ON event (seq, bytes) WHERE state = 'waiting'",
    "CREATE INDEX event_settled ON event (settled_at, bytes) WHERE state <> 'waiting'",
    "CREATE UNIQUE INDEX event_slot ON event (slot) WHERE slot IS NOT NULL",
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    """
    CREATE TABLE delivery (           -- endpoints whose last answer was a failure
        endpoint TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        next_try REAL NOT NULL,
        error    TEXT NOT NULL,
        since    TEXT NOT NULL
    )""",
)

LATER = (
    """
    CREATE TABLE IF NOT EXISTS age (  -- see age.py
        seq     INTEGER PRIMARY KEY,
        running INTEGER NOT NULL      -- the outbox's clock when the event was settled
    )""",
    "CREATE TABLE IF NOT EXISTS product (version TEXT NOT NULL)",  # one row, or none; see version.py
)
"""What a database of this version may lack, as an earlier release made it."""
