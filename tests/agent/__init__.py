"""Tests of the operator's side, room by room."""
