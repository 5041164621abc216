"""The install wrapper: runs a vendor's command exactly as if telemetry were not there.

`boot` decides whether the run is reported, and `run` reports it. process/ runs CMD, failure/ finds
where it failed, person/ has the notice and the questions.
"""
