"""The running server: how it starts, and how it stops without losing events."""

from __future__ import annotations

import gc
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from collector.base.http import App
from collector.ingest.writer import Writer
from collector.serve import systemd
from collector.serve.protocol import bounded_protocol
from collector.serve.routes import Site
from collector.settings import Settings
from collector.store import Store, StoreError

# A stop waits this long for unfinished requests.
GRACE_SECONDS = 20
IDLE_SECONDS = 30
BACKLOG = 2048
# The event loop and the writer share the interpreter; neither waits longer for it than this.
SWITCH_SECONDS = 0.0005


class _Server(uvicorn.Server):
    """uvicorn's server, which reports its state to systemd and to the caller."""

    listening: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening()
        systemd.send_state("READY=1\nSTATUS=receiving events")

    def leave(self, *_: object) -> None:
        """A signal to stop."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        systemd.send_state("STOPPING=1")
        await super().shutdown(sockets)


def open_listener(settings: Settings) -> socket.socket:
    """The socket that the server listens on. Raises OSError."""
    host, port = settings.listen
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def serve_requests(
    settings: Settings,
    store: Store,
    listener: socket.socket,
    listening: Callable[[], None],
    page: App,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the open requests and return."""
    sys.setswitchinterval(SWITCH_SECONDS)
    writer = Writer(store, settings.timeout)
    site = Site(settings, store, writer, page)
    config = uvicorn.Config(
        site,
        http=bounded_protocol(settings),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    server.listening = listening
    for number in (signal.SIGTERM, signal.SIGINT):
        # Before uvicorn sets its own handlers, and when it raises the signal again at the end.
        signal.signal(number, server.leave)
    gc.freeze()
    try:
        server.run(sockets=[listener])
    finally:
        writer.stop()
        with suppress(StoreError):
            site.rejects.write()
