"""The kernel's words, and its refusals."""

from __future__ import annotations

import _socket
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from agent.wrapper.exits import exits, taskstats
from agent.wrapper.process.caller import Environment
from agent.wrapper.shell.script import ShellRun

NOBODY = 65534
TRUE = ([b"sh", b"-c", b"true"], Environment([b"PATH=/usr/bin:/bin"]))


def attribute(kind: int, value: bytes) -> bytes:
    return taskstats.ATTRIBUTE.pack(taskstats.ATTRIBUTE.size + len(value), kind) + value


def event(
    pid: int,
    *,
    said: int,
    code: int,
    group: int = 0,
    version: int = taskstats.GROUPED,
    moved: int = 0,
) -> bytes:
    """The end of a process, as the kernel tells it; `said` is the id in its statistics."""
    stats = bytearray(500)
    taskstats.STATUS.pack_into(stats, 0, code, taskstats.FORKED)
    taskstats.VERSION.pack_into(stats, 0, version)
    taskstats.NAME.pack_into(stats, moved + taskstats.NAME_AT, b"fetch")
    taskstats.WHO.pack_into(stats, moved + taskstats.WHO_AT, said, 17)
    taskstats.GROUP.pack_into(stats, 2 * moved + taskstats.GROUP_AT, group or said)
    parts = attribute(taskstats.PID, pid.to_bytes(4, sys.byteorder))
    parts += attribute(taskstats.STATS, bytes(stats))
    return bytes(taskstats.GENERIC) + attribute(taskstats.OF_PROCESS, parts)


def test_what_waits_is_told_in_order_and_other_messages_are_passed_over() -> None:
    kernel, ours = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    ours.settimeout(0)
    for message in (event(5, said=5, code=9), bytes(taskstats.GENERIC), event(6, said=6, code=3 << 8)):
        kernel.send(message)
    told = list(taskstats.ExitEvents(ours).waiting())
    assert [(gone.pid, gone.status, gone.forked) for gone in told] == [(5, 137, True), (6, 3, True)]
    kernel.close()
    ours.close()


@pytest.mark.parametrize("moved", taskstats.MOVED)
def test_every_kernels_form_of_an_event_is_read(moved: int) -> None:
    found = taskstats._read(event(4711, said=4711, code=22 << 8, moved=moved))
    assert found is not None
    assert (found.pid, found.parent, found.status, found.name) == (4711, 17, 22, b"fetch")
    assert taskstats._read(event(4711, said=4711, code=0, group=4710, moved=moved)) is None  # a thread


@pytest.mark.parametrize("version", [taskstats.GROUPED, taskstats.GROUPED - 1])
def test_an_event_of_an_unknown_form_is_an_error(version: int) -> None:
    with pytest.raises(OSError, match="Protocol error"):
        taskstats._read(event(5, said=6 if version == taskstats.GROUPED else 5, code=0, version=version))


def test_an_answer_without_a_family_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        taskstats._family(bytes(taskstats.GENERIC) + attribute(taskstats.FAMILY_NAME, b"x\0\0\0"))


def test_the_kernels_refusal_is_an_error() -> None:
    socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, taskstats.NETLINK_GENERIC)
    socket.settimeout(10)
    controller, question = taskstats.GENL_CONTROLLER, (taskstats.GET_FAMILY, taskstats.FAMILY_NAME)
    with pytest.raises(FileNotFoundError):
        taskstats._asked(socket, controller, *question, b"NOSUCH\0")
    socket.close()


def opened() -> set[tuple[str, str]]:
    """The descriptors, and what they are. Threads of other tests may close some of theirs."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the listing is closed
            found.add((fd, os.readlink(f"/proc/self/fd/{fd}")))
    return found


@pytest.fixture
def nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)


@pytest.fixture
def at_limit() -> Iterator[Callable[[], None]]:
    """What lets no further descriptor be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def reach() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))

    yield reach
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.needs("root")
def test_a_user_is_refused_and_the_socket_is_closed(nobody: None) -> None:
    before = opened()
    with pytest.raises(PermissionError):
        taskstats.open_events()
    assert opened() <= before
    assert exits.prepare(*TRUE) is None


@pytest.mark.needs("root")
def test_without_descriptors_nothing_is_prepared(at_limit: Callable[[], None]) -> None:
    at_limit()
    assert exits.prepare(*TRUE) is None


@pytest.mark.needs("root", "taskstats")
def test_without_descriptors_nothing_is_watched(at_limit: Callable[[], None]) -> None:
    prepared = exits.prepare(*TRUE)
    assert prepared is not None
    at_limit()
    prepared.watch(os.getpid())
    assert prepared.descriptors() == set()
    assert prepared.failed(os.getpid(), 1) is None
    assert prepared._events.fileno() == -1


def test_where_there_is_no_process_to_be_had_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    before = opened()
    kernel, listening = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    with monkeypatch.context() as changed:
        changed.setattr(os, "fork", refuse)
        made = exits.Exits(ShellRun(b"sh"), b"", Environment([]), taskstats.ExitEvents(listening))
        made.watch(1)
    kernel.close()
    assert made.failed(1, 1) is None
    assert opened() <= before
