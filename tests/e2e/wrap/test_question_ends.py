"""How a question ends without an answer: time, other readers, signals, a terminal that stands still."""

import sys

import pytest

from tests.e2e.wrap.desk import HELP, OPT_IN, Desk
from tests.e2e.wrap.shell import PROMPT
from tests.wait import until

SLOW_PERSON = """
import os, sys
from agent.config.situation import read_situation
from agent.wrapper.person import questions
situation = read_situation(os.environ, cwd=os.getcwd(), uid=os.geteuid())
situation.state.make()
if sys.argv[1] == "success":
    questions.ask_for_usage(situation, seconds=0.3)
else:
    print("answer:", repr(questions.ask_for_help(situation, "01234567", seconds=0.3)))
print("went", "on")
"""


@pytest.mark.parametrize(("end", "question"), [("success", OPT_IN), ("failure", HELP)])
def test_who_does_not_answer_in_time_said_no(desk: Desk, end: str, question: str) -> None:
    (desk.place / "slow.py").write_text(SLOW_PERSON)
    with desk.shell() as shell:
        shell.type(f"{sys.executable} slow.py {end}\n")
        shell.expect(question)
        shell.expect("went on")
    assert "USAGE" not in desk.env_file.read_text()
    assert desk.names() == []


ANOTHER_READER = """
import os, select, sys, time
from agent.config.situation import read_situation
from agent.wrapper.person import questions, terminal
another, wait, left = os.open("/dev/tty", os.O_RDWR), select.select, [1]
made, gone = terminal.Terminal, [0.0]
terminal.Terminal = lambda fd, seconds: made(fd, seconds, lambda: time.monotonic() + gone[0])
def outrun(reads, *rest):
    found = wait(reads, *rest)
    if found[0] and left:
        left.clear()
        print("taken:", os.read(another, 99))
        gone[0] = float(sys.argv[1])
    return found
select.select = outrun
situation = read_situation(os.environ, cwd=os.getcwd(), uid=os.geteuid())
print("answer:", repr(questions.ask_for_help(situation, "01234567", seconds=120)))
"""
"""Once the line is taken, so many seconds have gone by."""


def test_a_question_waits_no_longer_where_another_process_takes_the_line(desk: Desk) -> None:
    (desk.place / "another.py").write_text(ANOTHER_READER)
    with desk.shell() as shell:
        for seconds, more, answer in (("120", "", "''"), ("0", "me@example.org\n", "'me@example.org'")):
            shell.type(f"{sys.executable} another.py {seconds}\n")
            shell.expect(HELP)
            shell.type("a line\n")
            shell.expect(r"taken: b'a line\n'")
            shell.type(more)
            shell.expect(f"answer: {answer}")
            shell.expect(PROMPT)


SIGNALS = """
import os, select, signal, sys
from agent.config.situation import read_situation
from agent.wrapper.person import questions, terminal
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
wait, hold = select.select, terminal.block_signals
def both_at_once(reads, *rest):
    if reads and rest[-1]:
        signal.pthread_sigmask(signal.SIG_BLOCK, [15, 1])
        os.kill(os.getpid(), 15)
        os.kill(os.getpid(), 1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [15, 1])
    return wait(reads, *rest)
def too_late():
    os.kill(os.getpid(), 15)
    hold()
if sys.argv[1] == "twice":
    select.select = both_at_once
else:
    terminal.block_signals = too_late
situation = read_situation(os.environ, cwd=os.getcwd(), uid=os.geteuid())
print("answer:", repr(questions.ask_for_help(situation, "01234567")))
print("held:", {1, 2, 3, 15} <= signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


@pytest.mark.parametrize("when", ["twice", "late"])
def test_a_signal_ends_the_question_and_nothing_else(desk: Desk, when: str) -> None:
    """As where a session ends: SIGTERM and SIGHUP at once."""
    (desk.place / "signals.py").write_text(SIGNALS)
    with desk.shell() as shell:
        shell.type(f"{sys.executable} signals.py {when}\n")
        shell.expect(HELP)
        if when == "late":
            shell.type("me@example.org\n")
        shell.expect("answer: ''")
        shell.expect("held: True")
        shell.expect(PROMPT)


def test_a_terminal_that_was_stopped_shows_the_question_when_it_goes_on(desk: Desk) -> None:
    stop, go_on = "\x13", "\x11"
    with desk.shell() as shell:
        shell.type("w sh -c 'echo U''P; read x'\n")
        shell.expect("UP")
        shell.type(f"\n{stop}")
        until((desk.place / "state/opt-in-asked").exists)
        shell.type(go_on)
        shell.expect(OPT_IN)
        shell.type("y\n")
        shell.expect(PROMPT)
    assert "ROLLCALL_USAGE_TELEMETRY=true" in desk.env_file.read_text()
