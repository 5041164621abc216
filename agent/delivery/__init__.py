"""How events leave: drain, transport, backoff."""
