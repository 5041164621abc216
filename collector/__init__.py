"""The vendor's side of Rollcall: where the events land."""
