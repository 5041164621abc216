"""The end of a process that was told to stop: soon, whatever its store still does."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence

from collector.base.background import BackgroundJob

logger = logging.getLogger("rollcall.collector")

# After the open requests, a stop waits no longer than this for what still uses the store.
END_SECONDS = 4.0


def end_soon(jobs: Sequence[BackgroundJob]) -> None:
    """Tell these jobs to stop. If this process is not gone in time, it ends at once, and well.

    What it has not finished is not acknowledged, or the next server does it again: as after a kill.
    """
    for job in jobs:
        job.stop(patience=0)
    threading.Thread(target=_end_late, args=(jobs,), name="end", daemon=True).start()


def _end_late(jobs: Sequence[BackgroundJob]) -> None:
    time.sleep(END_SECONDS)
    late = ", ".join(job.name for job in jobs if job.running) or "the store"
    try:
        logger.warning("the stop takes longer than %g s; it does not wait for: %s", END_SECONDS, late)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:  # although nobody may read them any more
        os._exit(0)
