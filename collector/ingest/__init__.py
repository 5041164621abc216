"""From a request to events: api, keyring, decode, writer, metrics."""
