"""Tests of the frame that the other tests stand in."""
