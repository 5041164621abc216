"""The install wrapper: runs a vendor's command exactly as if telemetry were not there.

The order of rooms is the order of a run: `boot` decides, `caller` keeps what we were given,
`command` becomes CMD, `relay` stands between CMD and whoever signals us, `runfile` remembers.
"""
