"""The running server: how it starts, and how it stops without losing events."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import uvloop

from collector.base.http import App
from collector.ingest.disk import DiskWatch
from collector.ingest.member import Member
from collector.ingest.writer import Writer
from collector.serve import systemd
from collector.serve.connection import Connection
from collector.serve.descriptors import allow
from collector.serve.host import Host
from collector.serve.routes import Site
from collector.settings import Settings
from collector.store import StoreError, Stores

# A stop waits this long for unfinished requests.
GRACE_SECONDS = 20
# The event loop and the writer share the interpreter; neither waits longer for it than this.
SWITCH_SECONDS = 0.0005


def open_listener(listen: tuple[str, int], *, shared: bool = False) -> socket.socket:
    """The socket that the server listens on; other workers may share its port.

    Raises OSError with a message that names the address.
    """
    try:
        return _bound(*listen, shared=shared)
    except OSError as error:
        place = "{}:{}".format(*listen)
        hint = "choose another address with --listen HOST:PORT, or stop what uses this one"
        raise OSError(f"cannot listen at {place}: {error.strerror}; {hint}") from error
    except UnicodeError:
        raise OSError("cannot listen at {}:{}: that is no name of a host".format(*listen)) from None


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def reserve_port(listen: tuple[str, int]) -> socket.socket:
    """A socket that holds the port for workers, and takes no connection itself. Raises OSError."""
    # Shared sockets would join those of another collector of this user, so the port is tried alone first.
    with open_listener(listen) as alone:
        host, port = alone.getsockname()[:2]
    return open_listener((host, port), shared=True)


def serve_requests(
    settings: Settings,
    stores: Stores,
    disk: DiskWatch,
    listener: socket.socket,
    listening: Callable[[], None],
    finishing: Callable[[], None],
    page: App,
    member: Member | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the open requests and return. The stores stay open.

    `finishing` is called once no request is waited for. What still runs in threads then, such as a view's
    question to a store, is waited for without a bound.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    writer = Writer(stores.events, settings.timeout)
    site = Site(settings, stores, disk, writer, page, member)
    stopping = _StopSignals()
    gc.freeze()
    try:
        uvloop.run(_serve(site, settings, listener, listening, stopping, finishing))
    finally:
        writer.stop()
        with suppress(StoreError):
            site.rejects.write()


class _StopSignals:
    """SIGTERM and SIGINT: they stop the server, whenever they come."""

    def __init__(self) -> None:
        self.came = False
        self._tell: Callable[[], object] = lambda: None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, *_: object) -> None:
        self.came = True
        self._tell()

    async def wait(self) -> None:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._tell = lambda: loop.call_soon_threadsafe(told.set)
        if not self.came:
            await told.wait()
        self._tell = lambda: None


async def _serve(
    site: Site,
    settings: Settings,
    listener: socket.socket,
    listening: Callable[[], None],
    stopping: _StopSignals,
    finishing: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()
    allowed = allow(settings.max_connections)
    host = Host(site, settings, loop.time, allowed.connections)
    server = await loop.create_server(lambda: Connection(host), sock=listener, backlog=allowed.backlog)
    duties = [asyncio.ensure_future(host.cut_off_who_is_late()), asyncio.ensure_future(site.tell_others())]
    listening()
    systemd.send_state("READY=1\nSTATUS=receiving events")
    await stopping.wait()
    systemd.send_state("STOPPING=1")
    server.close()
    host.stop()
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(host.empty.wait(), GRACE_SECONDS)
    finishing()
    for duty in duties:
        duty.cancel()
