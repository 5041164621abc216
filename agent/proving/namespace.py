"""An empty network namespace for this process and all that it starts: nothing in it leads anywhere.

Root asks for it plainly; anybody else, or root without the right, by a user namespace. Only
the loopback device is up. Names are asked of a sink here, not of the machine's resolver: what would ask it
over a socket in /run finds none.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct

NEW_MOUNTS, NEW_USER, NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
PRIVATE, BIND = 1 << 18 | 1 << 14, 1 << 12
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1
SET_CHILD_SUBREAPER = 36
RESOLVERS = ("/run/nscd", "/var/run/nscd", "/run/systemd/resolve", "/run/avahi-daemon", "/run/dbus")
"""Where programs of this machine listen that look up a name for others."""


class CannotSeparate(Exception):  # noqa: N818 - reads as what it says
    """This machine gives us no empty network namespace; the text says why."""


def enter_namespace() -> str:
    """Be in an empty network namespace from now on. Returns by which right: `root` or `user namespace`."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    right = "root"
    try:
        if uid != 0 or libc.unshare(NEW_NETWORK | NEW_MOUNTS) != 0:
            right = "user namespace"
            _ask(libc.unshare(NEW_USER | NEW_NETWORK | NEW_MOUNTS))
            _write("setgroups", "deny")
            _write("uid_map", f"{uid} {uid} 1")
            _write("gid_map", f"{gid} {gid} 1")
        _ask(libc.mount(b"none", b"/", None, PRIVATE, None))
        _bring_up(b"lo")
    except OSError as why:
        raise CannotSeparate(
            f"this machine gives user {uid} no network namespace of its own ({why.strerror})"
        ) from None
    libc.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return right


def hide(folder: str) -> None:
    """Cover a folder with an empty one, for us alone. OSError if that cannot be."""
    if os.path.isdir(folder):
        _ask(ctypes.CDLL(None, use_errno=True).mount(b"none", os.fsencode(folder), b"tmpfs", 0, None))


def ask_names_here(resolv_conf: str) -> None:
    """Have every look-up of a name ask the server that this file names. OSError if that cannot be."""
    for folder in RESOLVERS:
        hide(folder)
    theirs = os.path.realpath("/etc/resolv.conf")
    if os.path.dirname(theirs) in RESOLVERS:  # covered now, so what is made there is ours alone
        with contextlib.suppress(OSError):
            os.close(os.open(theirs, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    if os.path.exists(theirs):  # where there is none, 127.0.0.1 is asked anyway
        libc = ctypes.CDLL(None, use_errno=True)
        _ask(libc.mount(os.fsencode(resolv_conf), os.fsencode(theirs), None, BIND, None))


def _bring_up(device: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, GET_FLAGS, struct.pack("16s24x", device))
        flags = struct.unpack_from("16sh", answer)[1] | UP
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh22x", device, flags))


def _ask(answer: int) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _write(name: str, text: str) -> None:
    with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
        file.write(text)
