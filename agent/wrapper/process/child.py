"""Start CMD as a child that gets all that our caller gave us, and end as CMD ended."""

from __future__ import annotations

import os
import select

from agent.base import processes, sig
from agent.wrapper.process import prctl
from agent.wrapper.process.command import CannotRun, exec_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.wrapper.process.caller import Caller, Environment

STANDARD = (0, 1, STDERR := 2)
LOST = 1
GLANCE_MS = 100
"""How often a CMD whose start takes long is looked at."""


def plug_closed_descriptors() -> list[int]:
    """Open /dev/null on those of the descriptors 0 to 2 that came closed; returns them.

    So no file of ours gets such a number. They close at exec: CMD finds them closed, as it would alone.
    """
    closed = []
    for fd in STANDARD:
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
            closed.append(fd)
    return closed


def start_child(argv: list[bytes], caller: Caller, environment: Environment, name: str) -> int:
    """Fork and exec CMD; returns its pid. Where that fails, CannotRun, after the message of a shell.

    From here on every signal is blocked in this process: `relay` picks them up one by one.
    """
    sig.signal(sig.SIGCHLD, sig.SIG_DFL)  # or the kernel would reap CMD for us, and its code be lost
    sig.pthread_sigmask(sig.SIG_BLOCK, sig.valid_signals())
    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(argv, caller, environment, name, parent, writer)
    os.close(writer)
    why = _start_failure(pid, reader)
    os.close(reader)
    if why:
        os.waitpid(pid, 0)
        code, _, text = why.partition(b" ")
        raise CannotRun(int(code), os.fsdecode(text))
    return pid


def _start_failure(pid: int, reader: int) -> bytes:
    """Why CMD could not be started; nothing once it has taken over.

    A ^Z until then stops only the child, because our signals are blocked, and nobody would see it: wake it.
    """
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while not poll.poll(GLANCE_MS):
        if processes.state(pid) == "T":
            os.kill(pid, sig.SIGCONT)
    return os.read(reader, 4096)


def _child(
    argv: list[bytes], caller: Caller, environment: Environment, name: str, parent: int, writer: int
) -> None:
    try:
        prctl.die_with(parent)
        caller.restore_signals()
        problem = exec_command(argv, environment)
        os.write(2, shell_message(name, argv[0], problem))
        os.write(writer, b"%d %s" % (problem.code, os.fsencode(problem.why)))
        os._exit(problem.code)
    finally:
        os._exit(126)


def shell_message(name: str, word: bytes, problem: CannotRun) -> bytes:
    """The one line that a shell would print, with our name."""
    return b"%s: %s: %s\n" % (os.fsencode(name), word, os.fsencode(problem.why))


def release_descriptors(keep: set[int]) -> None:
    """Close our copies of all that CMD was given, so that a pipe it closes is closed.

    A terminal on stderr stays, for what must be said.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for fd in STANDARD:
        if fd != STDERR or not os.isatty(fd):
            os.dup2(null, fd, inheritable=True)
    for fd in open_descriptors():
        if fd not in keep and fd not in STANDARD:
            try:
                os.close(fd)
            except OSError:
                pass  # the one that listed the folder


def open_descriptors() -> list[int]:
    try:
        return [int(fd) for fd in os.listdir("/proc/self/fd")]
    except OSError:  # no /proc
        return list(range(256))


def end_with_child(pid: int) -> None:
    """Wait for CMD and end as it does, where nothing more of ours works. Never returns."""
    try:
        end_like_child(os.waitpid(pid, 0)[1])
    finally:
        os._exit(LOST)  # another wait already took CMD's status


def end_like_child(status: int) -> None:
    """End this process as CMD ended: the same code, or the same death. Never returns."""
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    try:
        _die_by(number)
    finally:
        os._exit(128 + number)  # PID 1 cannot be killed by itself


def _die_by(number: int) -> None:
    try:
        import resource

        prctl.no_core()
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):
        pass  # CMD may have taken this Python's modules away
    try:
        sig.signal(number, sig.SIG_DFL)
    except (OSError, ValueError):
        pass  # SIGKILL has no other
    os.kill(os.getpid(), number)
    sig.pthread_sigmask(sig.SIG_UNBLOCK, [number])


def hold_nothing(keep: set[int]) -> None:
    """In a child that only watches: keep no file, terminal or file system of the install busy."""
    os.chdir("/")
    release_descriptors(keep)
    os.dup2(os.open(os.devnull, os.O_RDWR), STDERR)
