"""From a request to events: limits, decode, api, writer."""
