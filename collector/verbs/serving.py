"""The verb `serve`: one process, or several workers on one PostgreSQL."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial

from collector.admin import keys, setup
from collector.base.shared import SharedSums
from collector.ingest.member import Member
from collector.serve import logs
from collector.settings import DEFAULT_LISTEN, Settings
from collector.store import ControlStore, Stores
from collector.verbs import people
from collector.verbs.opening import command_for, open_stores_of
from collector.verbs.terminal import message, now_ms

FIRST_SOURCE = "default"
FIRST_PROCESS = 1
"""The process id of a container's command."""
# A worker that was told to stop ends by itself. It is killed if it has not, so much later.
SPARE_SECONDS = 1


def serve(settings: Settings) -> None:
    """Receive events until SIGTERM or SIGINT."""
    logs.configure_logging()
    if settings.workers > 1:
        _serve_together(settings)
    else:
        _serve_alone(settings)


def _serve_alone(settings: Settings) -> None:
    from collector.serve import server

    listener = server.open_listener(settings.listen)
    stores = open_stores_of(settings)
    stores.control.serve()

    def listening() -> None:
        _introduce(stores.control, settings, listener)
        _say_where(settings, listener)

    _serve_requests(settings, stores, listener, listening)


def _serve_together(settings: Settings) -> None:
    """The parent of several workers. It has what they share, and serves nothing itself."""
    from collector.ingest import metrics
    from collector.page import app  # noqa: F401 - imported once, for all workers
    from collector.serve import ending, server, systemd
    from collector.serve.meters import meters_folder
    from collector.serve.workers import Crew

    reserved = server.reserve_port(settings.listen)
    with closing(open_stores_of(settings)) as stores:
        _introduce(stores.control, settings, reserved)
    paid = SharedSums(settings.workers)

    def listening() -> None:
        _say_where(settings, reserved)
        systemd.send_state("READY=1\nSTATUS=receiving events")

    with reserved, meters_folder() as meters:

        def work(number: int, ready: Callable[[], None]) -> None:
            os.environ.pop("NOTIFY_SOCKET", None)  # the parent speaks for all
            listener = server.open_listener(reserved.getsockname()[:2], shared=True)
            stores, member = open_stores_of(settings), Member(number, meters, paid)
            _serve_requests(settings, stores, listener, ready, member)

        Crew(
            settings.workers,
            work,
            listening=listening,
            stopping=lambda: systemd.send_state("STOPPING=1"),
            ended=lambda number: metrics.forget_state(meters, number),
            patience=server.GRACE_SECONDS + ending.END_SECONDS + SPARE_SECONDS,
        ).run()


def _serve_requests(
    settings: Settings,
    stores: Stores,
    listener: socket.socket,
    listening: Callable[[], None],
    member: Member | None = None,
) -> None:
    """Serve in this process, with all that runs in the background."""
    from collector.alerts.watcher import Watcher
    from collector.base.background import BackgroundJob, start_jobs, stop_jobs
    from collector.ingest.disk import DiskWatch
    from collector.page.app import Page
    from collector.public.publisher import Publisher
    from collector.serve import ending, server
    from collector.serve.folder import Folder
    from collector.serve.keeper import Keeper
    from collector.serve.renewer import Renewer

    disk = DiskWatch(settings, stores.events)
    page = Page(settings, stores, disk)
    jobs: list[BackgroundJob] = [Folder(stores.events), *page.jobs]
    if member is None or member.number == 0:  # one of the workers does it for all
        watcher = Watcher(settings, stores, disk)
        jobs += [Keeper(stores, settings.keep), Renewer(stores.events), watcher, Publisher(stores)]

    def begin() -> None:
        listening()
        start_jobs(jobs)

    finish = partial(ending.end_soon, jobs)
    try:
        server.serve_requests(settings, stores, disk, listener, begin, finish, page, member)
    finally:
        stop_jobs(jobs)
        disk.stop()
        stores.close()


def _introduce(control: ControlStore, settings: Settings, listener: socket.socket) -> None:
    """On a first start, make a write key, and say how to open the page."""
    _first_key(control, settings, _address(settings, listener))
    here = setup.local_address(*listener.getsockname()[:2])
    place = here.removeprefix("http://")
    elsewhere = () if place == DEFAULT_LISTEN else ("--listen", place)
    command = command_for(settings, "setup-link", *elsewhere)
    people.tell_setup(control, settings.public_url or here, command)


def _first_key(control: ControlStore, settings: Settings, address: str) -> None:
    if control.all("SELECT 1 FROM write_keys LIMIT 1"):
        return
    # A key does not belong in a log: that of systemd, or that of a container.
    logged = "JOURNAL_STREAM" in os.environ or os.getpid() == FIRST_PROCESS
    if logged or not settings.db.startswith("sqlite:"):
        message(f"there is no write key yet; create one: {command_for(settings, 'keys', 'add', 'NAME')}")
        return
    key = keys.add_key(control, FIRST_SOURCE, now_ms())
    message(
        f"created the source {FIRST_SOURCE!r}; its write key is shown only once; for the agent's docker.env:"
    )
    sys.stdout.write(f"ROLLCALL_ENDPOINT={address}\nROLLCALL_WRITE_KEY={key}\n")
    sys.stdout.flush()


def _say_where(settings: Settings, listener: socket.socket) -> None:
    address, here = _address(settings, listener), _here(listener)
    message(f"receiving events at {address}" + (f", listening at {here}" if address != here else ""))


def _address(settings: Settings, listener: socket.socket) -> str:
    return settings.public_url or _here(listener)


def _here(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
