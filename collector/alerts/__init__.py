"""Alerts: what is worth a message, and how it is sent."""
