"""The operator's side of Rollcall: installer telemetry and heartbeats."""
