"""Release notes and advisories: fetched without an id, verified before they are read, matched here."""
