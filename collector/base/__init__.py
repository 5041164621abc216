"""The ground: ids, times, events, HTTP, limits, peers."""
