"""Tests of the vendor's side, room by room."""
