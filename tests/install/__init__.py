"""Tests of what brings Rollcall to a server and away again."""
