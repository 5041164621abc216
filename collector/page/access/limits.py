"""How long a session lasts, and how often somebody may try to sign in."""

from __future__ import annotations

LONGEST_MS = 7 * 86_400_000
IDLE_MS = 12 * 3_600_000
TOUCH_MS = 5 * 60_000
# This many attempts in a row, then one every SECONDS_A_TRY.
TRIES = 5.0
SECONDS_A_TRY = 30.0
# A password check takes 16 MiB of memory and one core, so only this many run at once.
CHECKS_AT_ONCE = 2
