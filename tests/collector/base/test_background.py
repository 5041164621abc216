"""A job in the background: it repeats its step until it ends or is stopped."""

from __future__ import annotations

import threading

from collector.base.background import BackgroundJob
from tests.wait import PATIENCE, until


class Steps(BackgroundJob):
    """Rests as long as it is told, and waits in each step until it may go on."""

    def __init__(self, *rests: float | None, first: float = 0.0) -> None:
        super().__init__("steps", first)
        self.rests, self.done = list(rests), 0
        self.may_go_on, self.began = threading.Semaphore(0), threading.Event()

    def step(self) -> float | None:
        self.began.set()
        self.may_go_on.acquire()
        self.done += 1
        return self.rests.pop(0)


def test_steps_follow_each_other_until_there_is_nothing_left() -> None:
    job = Steps(0, 0, None)
    running = [job.running]
    job.start()
    running.append(job.running)
    assert running == [False, True]
    job.may_go_on.release(3)
    until(lambda: not job.running)
    assert job.done == 3
    job.stop()


def test_a_stop_waits_for_the_step_and_not_for_the_rest() -> None:
    job = Steps(3600)
    job.start()
    job.began.wait(PATIENCE)
    stop = threading.Thread(target=job.stop)
    stop.start()
    assert stop.is_alive()
    job.may_go_on.release()
    stop.join(PATIENCE)
    assert not job.running
    assert job.done == 1


def test_a_job_rests_first_and_may_be_stopped_before_it_ever_began() -> None:
    for begin in (True, False):
        job = Steps(first=3600)
        if begin:
            job.start()
        job.stop()
        assert not job.running
        assert job.done == 0
