"""A flood of sign-ins, at the real cost of a password, stops neither events nor memory's bound."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.collector.fleet import run_fleet
from tests.collector.running import Collector
from tests.wait import PATIENCE

GUESSERS = 60
MOST_KIB = 150 * 1024


@contextmanager
def guessing(collector: Collector) -> Iterator[Counter[int]]:
    """Guess from many addresses at once, without a pause; how the guesses were answered."""
    shown = collector.get("/signin")
    cookie = str(shown.headers["Set-Cookie"]).partition(";")[0]
    token = shown.body.decode().partition('name="token" value="')[2].partition('"')[0]
    answers, over = Counter[int](), threading.Event()

    def guess(number: int) -> None:
        tries = 0
        while not over.is_set():
            tries += 1
            form = urlencode({"token": token, "name": f"{number} {tries}", "password": "wrong horse"})
            source = (f"127.0.{tries % 250 + 2}.{number + 1}", 0)
            with closing(
                HTTPConnection("127.0.0.1", collector.port, timeout=PATIENCE, source_address=source)
            ) as one:
                one.request("POST", "/signin", form, {"Cookie": cookie})
                answers[one.getresponse().status] += 1

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(GUESSERS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE)


def most_memory(collector: Collector) -> int:
    """The most memory, in KiB, that the process has ever had."""
    assert collector.process is not None
    status = Path(f"/proc/{collector.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.serial
def test_a_flood_of_sign_ins_leaves_events_and_memory_alone(idle: Collector) -> None:
    collector = idle
    collector.covered = False
    collector.verb("users", "add", "ada", "--role", "viewer", stdin="correct horse battery\n")
    collector.start()
    try:
        before = most_memory(collector)
        with guessing(collector) as answers:
            report = run_fleet(collector.port, collector.key)
        assert report.share >= 0.99, report
        assert report.p99 < 1, report
        assert answers[403] > 0
        assert answers[503] > 0
        assert set(answers) <= {403, 429, 503}
        assert before < most_memory(collector) < MOST_KIB
    finally:
        collector.stop()
