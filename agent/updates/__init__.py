"""Release notes and advisories: fetched from the vendor's feed, verified, and matched on this machine."""
