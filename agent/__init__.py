"""The operator's side of Rollcall: installer telemetry and heartbeats."""

__version__ = "0.1.0"
