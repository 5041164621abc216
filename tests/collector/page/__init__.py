"""Tests of the vendor's page."""
