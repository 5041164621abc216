"""Deletes what is older than the setting KEEP says, hourly while the server runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from collector.base.background import BackgroundJob
from collector.base.keep import Keep
from collector.base.times import DAY_MS
from collector.store import StoreError, Stores
from collector.store.claims import AlreadyClaimed
from collector.store.deletion import expire_events
from collector.store.values import Cutoffs, Expired

logger = logging.getLogger("rollcall.collector")

FIRST_SECONDS = 60
HOUR_SECONDS = 3600
# After such a pause the clock may be wrong, and what is deleted does not come back.
PAUSE_MS = 7 * DAY_MS
UNSURE_SECONDS = HOUR_SECONDS / 2


class Keeper(BackgroundJob):
    """Deletes some seconds after the start, and then hourly. A stop waits for the open transaction alone."""

    def __init__(
        self,
        stores: Stores,
        keep: Keep,
        now: Callable[[], float] = time.time,
        *,
        clock: Callable[[], float] = time.monotonic,
        first: float = FIRST_SECONDS,
    ) -> None:
        super().__init__("keeper", first)
        self._stores, self._keep, self._now, self._clock = stores, keep, now, clock
        self._unsure: tuple[int | None, float] = None, 0.0

    def step(self) -> float | None:
        """Delete once, if anything is to be deleted at all."""
        if self._keep.forever:
            return None
        self.expire()
        return HOUR_SECONDS

    def expire(self) -> None:
        """Delete once."""
        now = int(self._now() * 1000)
        try:
            if not self._is_sure(now):
                return
            expired = expire_events(self._stores, cutoffs_of(self._keep, now), now, self._go_on)
        except AlreadyClaimed:
            return
        except StoreError as error:
            logger.warning("what is old was not deleted: %s", error)
            return
        except Exception as error:  # noqa: BLE001 - the thread must go on
            logger.warning("what is old was not deleted: it failed with %s", type(error).__name__)
            return
        if expired != Expired():
            counts = (expired.beats, expired.events, expired.emails, expired.bundles)
            logger.info(
                "deleted %d heartbeats, %d other events, %d e-mail addresses and %d support bundles by age",
                *counts,
            )

    def _is_sure(self, now: int) -> bool:
        """Whether the clock may be trusted: not for an hour after a jump, nor if another one shows less."""
        last = self._stores.events.last_expiry().at
        if last is None or now - last <= PAUSE_MS:
            return True
        if self._unsure[0] != last:
            self._unsure = last, self._clock()
            logger.warning(
                "what is old was last deleted %d days ago, by the clock: check it; this goes on in an hour",
                (now - last) // DAY_MS,
            )
        return self._clock() - self._unsure[1] >= UNSURE_SECONDS


def cutoffs_of(keep: Keep, now: int) -> Cutoffs:
    """Where what is kept begins: with whole days, because a day's heartbeats go at once.

    A hundred years are for ever: nothing was received before 1970.
    """

    def begin(seconds: int) -> int:
        before = now - seconds * 1000
        return max(0, before - before % DAY_MS) if seconds else 0

    return Cutoffs(begin(keep.heartbeats), begin(keep.events), begin(keep.emails), begin(keep.bundles))
