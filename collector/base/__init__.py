"""The ground: ids, times, events, HTTP."""
