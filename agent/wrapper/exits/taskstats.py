"""The kernel's taskstats exit events: who ended, as whose child and how; for root in the initial namespaces.

Generic netlink, as in the kernel's Documentation/accounting/taskstats.rst.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NETLINK_GENERIC, GENL_CONTROLLER, NLMSG_ERROR = 16, 16, 2
REQUEST, ACKNOWLEDGE = 1, 4
GET_FAMILY, FAMILY_ID, FAMILY_NAME = 3, 1, 2
GET, REGISTER_CPUMASK = 1, 3
OF_PROCESS, PID, STATS = 4, 1, 3
SO_RCVBUFFORCE = 33
BUFFER = 4 << 20
"""Bytes of events that may wait in the kernel: some thousands."""

OURS = 1
"""The number of our requests, and of the answers to them."""

MESSAGE = 1 << 16
TIMEOUT = 1.0
HEADER, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
GENERIC = HEADER.size + 4
VERSION, STATUS = struct.Struct("=H"), struct.Struct("=4xIB")
NAME, WHO, GROUP = struct.Struct("=32s"), struct.Struct("=II"), struct.Struct("=I")
NAME_AT, WHO_AT, GROUP_AT = 80, 128, 368
GROUPED = 12
"""The version of the event that first tells a process from a thread: that of Linux 5.19."""

MOVED = (0, 24, 48)
"""Bytes that Linux 6.14 to 6.17 put in before the name, and again after it; the process's id tells which."""

FORKED = 1
"""The process never became another program: a shell's own subshell."""


class Exit:
    """One process that ended."""

    def __init__(self, pid: int, parent: int, status: int, name: bytes, *, forked: bool) -> None:
        self.pid = pid
        self.parent = parent
        self.status = status
        self.name = name
        self.forked = forked


class ExitEvents:
    """The socket that the kernel tells of every process's end. Owns it."""

    def __init__(self, socket: _socket.socket) -> None:
        self._socket = socket

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def waiting(self) -> Iterator[Exit]:
        """All that has been told so far. OSError where events were lost."""
        while True:
            try:
                message = self._socket.recv(MESSAGE)
            except BlockingIOError:
                return
            found = _read(message)
            if found:
                yield found


def open_events() -> ExitEvents:
    """Register. OSError where the kernel has no such events, or not for us."""
    kind = _socket.SOCK_RAW | _socket.SOCK_CLOEXEC
    socket = _socket.socket(_socket.AF_NETLINK, kind, NETLINK_GENERIC)
    try:
        socket.settimeout(TIMEOUT)
        socket.bind((0, 0))
        socket.setsockopt(_socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        family = _family(_asked(socket, GENL_CONTROLLER, GET_FAMILY, FAMILY_NAME, b"TASKSTATS\0"))
        _asked(socket, family, GET, REGISTER_CPUMASK, _processors())
        socket.settimeout(0)
    except BaseException:
        socket.close()
        raise
    return ExitEvents(socket)


def _processors() -> bytes:
    with open("/sys/devices/system/cpu/possible", "rb", buffering=0) as file:
        return file.read(4096).strip() + b"\0"


def _asked(socket: _socket.socket, family: int, command: int, kind: int, value: bytes) -> bytes:
    """The answer to a request. OSError where the kernel refuses it."""
    attribute = ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)
    body = struct.pack("=BBH", command, 1, 0) + attribute
    flags = REQUEST if family == GENL_CONTROLLER else REQUEST | ACKNOWLEDGE
    socket.send(HEADER.pack(HEADER.size + len(body), family, flags, OURS, 0) + body)
    while True:
        answer = socket.recv(MESSAGE)
        _, kind, _, sequence, _ = HEADER.unpack_from(answer)
        if sequence == OURS:  # an exit event bears no number
            break
    number = -struct.unpack_from("=i", answer, HEADER.size)[0] if kind == NLMSG_ERROR else 0
    if number:
        raise OSError(number, os.strerror(number))
    return answer


def _family(message: bytes) -> int:
    for kind, at in _attributes(message, GENERIC, len(message)):
        if kind == FAMILY_ID:
            return int(struct.unpack_from("=H", message, at)[0])
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


def _attributes(message: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """(kind, where its value begins)."""
    while at + ATTRIBUTE.size <= end:
        length, kind = ATTRIBUTE.unpack_from(message, at)
        yield kind, at + ATTRIBUTE.size
        at += max(ATTRIBUTE.size, length + 3 & ~3)


def _read(message: bytes) -> Exit | None:
    """What an event says; None if it is only a thread's. OSError where it is in no form that we know."""
    nested = dict(_attributes(message, GENERIC, len(message))).get(OF_PROCESS)
    if nested is None:
        return None
    parts = dict(_attributes(message, nested, len(message)))
    (pid,) = struct.unpack_from("=I", message, parts[PID])
    stats = parts[STATS]
    (version,), (code, flags) = VERSION.unpack_from(message, stats), STATUS.unpack_from(message, stats)
    for moved in MOVED if version >= GROUPED else ():
        found, parent = WHO.unpack_from(message, stats + moved + WHO_AT)
        if found == pid:
            (name,) = NAME.unpack_from(message, stats + moved + NAME_AT)
            if GROUP.unpack_from(message, stats + 2 * moved + GROUP_AT)[0] != pid:
                return None
            status = 128 + (code & 127) if code & 127 else code >> 8 & 255
            return Exit(pid, parent, status, name.partition(b"\0")[0], forked=bool(flags & FORKED))
    raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
