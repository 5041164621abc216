"""Tests of the measuring, which must be right before the measured is."""
