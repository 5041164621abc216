"""The notice before CMD, and what is asked after it, by a person at a terminal."""

import fcntl
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import environ
from tests.e2e.wrap.shell import PROMPT, Shell
from tests.e2e.wrap.side_by_side import WRAP, Sides
from tests.leftovers import end_senders
from tests.receiver import Receiver
from tests.verbs import run_verb
from tests.wait import until

WIDENED = "the usage data of Acme says more than you agreed to; share it? [y/N] "
OPT_IN, HELP = "share pseudonymous usage data with Acme? [y/N] ", "e-mail address, if you would like help"
NOBODY_THERE = "http://127.0.0.1:9"
NEWS = "New in these reports since you were last told"
ID = "11111111-2222-4333-8444-555555555555"
FULL, SHORT = "Nothing has been sent yet.", "reports this installation's outcome"


class Desk:
    """A person's terminal, with `w` for the wrapper and a docker.env of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.env_file = place / "docker.env"
        self.env_file.write_text("# mine\nROLLCALL_PRODUCT=Acme\n")
        (place / "bin").mkdir()
        (place / "bin/w").write_text(f'#!/bin/sh\nexec {sys.executable} -I -m agent wrap "$@"\n')
        (place / "bin/w").chmod(0o755)
        self.environment = environ.covered(
            place,
            ROLLCALL_STATE_DIR=str(place / "state"),
            ROLLCALL_ENV_FILE=str(self.env_file),
            ROLLCALL_ENDPOINT=NOBODY_THERE,
        )
        self.environment["PATH"] = f"{place}/bin:{self.environment['PATH']}"

    @contextmanager
    def shell(self) -> Iterator[Shell]:
        with Shell(self.environment, str(self.place)) as shell:
            yield shell

    def asked_before(self) -> None:
        (self.place / "state").mkdir(exist_ok=True)
        (self.place / "state/opt-in-asked").touch()

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run_verb(*words, env=self.environment, cwd=self.place)

    def log(self) -> list[dict[str, Any]]:
        self.verb("flush", "--budget", "1s")  # what was recorded late is taken in
        return [json.loads(line)["event"] for line in self.verb("log", "--json").stdout.splitlines()]

    def names(self) -> list[object]:
        return [event["event"] for event in self.log()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    yield Desk(tmp_path)
    end_senders(tmp_path)


def test_the_notice_is_full_once_and_then_one_line(desk: Desk) -> None:
    desk.asked_before()
    with desk.shell() as shell:
        shell.run("w echo o''ne")
        first = shell.transcript
        shell.run("w echo t''wo")
        second = shell.transcript.removeprefix(first)
    assert FULL in first
    assert SHORT not in first
    assert first.index(FULL) < first.index("\none")
    assert SHORT in second
    assert FULL not in second
    assert second.index(SHORT) < second.index("\ntwo")


def test_after_an_upgrade_the_notice_says_what_is_new_and_only_then_it_is_sent(desk: Desk) -> None:
    desk.asked_before()
    desk.environment["CI"] = "true"
    for name, text in (("instance.json", f'{{"instanceId": "{ID}", "machine": null}}'), ("notice-shown", "")):
        (desk.place / "state" / name).write_text(text)
    with desk.shell() as shell:
        shell.run("w echo o''ne 2>/dev/null")
        assert len(desk.log()) == 2
        shell.run("w echo t''wo")
        shell.run("w echo t''hree")
    assert shell.transcript.count(NEWS) == 1
    assert shell.transcript.index(NEWS) < shell.transcript.index("\ntwo")
    runs = [event["context"]["installation"] for event in desk.log()]
    assert ["environment" in run for run in runs] == [False, False, True, True, True, True]


def test_without_a_terminal_the_notice_is_one_line_and_nothing_follows(covered: Sides) -> None:
    for command in (["sh", "-c", "echo last >&2; exit 1"], ["sh", "-c", "echo last >&2"]):
        argv = [word for word in WRAP if word != "--no-input"]
        ending = covered.bare([*argv, "--", *command])
        notice, last = ending.err.splitlines()
        assert SHORT.encode() in notice
        assert last == b"last"


def test_nothing_is_sent_nor_begun_before_the_notice_is_written(tmp_path: Path) -> None:
    """stderr is a pipe that is full: the wrapper waits to write the notice, and all else waits with it."""
    with Receiver() as receiver:
        environment = environ.covered(
            tmp_path, ROLLCALL_STATE_DIR=str(tmp_path / "state"), ROLLCALL_ENDPOINT=receiver.endpoint
        )
        read, write = os.pipe()
        os.write(write, b"." * fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096))
        argv = [*WRAP, "--", "touch", str(tmp_path / "begun")]
        with subprocess.Popen(argv, env=environment, stderr=write) as process:
            os.close(write)
            until(lambda: "pipe" in Path(f"/proc/{process.pid}/wchan").read_text(), 30)
            assert receiver.connections == 0
            assert not (tmp_path / "begun").exists()
            shown = b""
            while data := os.read(read, 65536):
                shown += data
        os.close(read)
        assert process.returncode == 0
        assert (tmp_path / "begun").exists()
        assert SHORT.encode() in shown.lstrip(b".")
        receiver.wait_for(1, 60)


def test_without_stderr_nothing_is_reported(covered: Sides) -> None:
    argv = ["sh", "-c", '"$@" 2>&-', "x", *WRAP, "--", "sh", "-c", "exit 4"]
    assert covered.bare(argv).code == 4
    assert covered.events() == []
    assert covered.bare([*argv[:2], '"$@" 2>/dev/null', *argv[3:]]).code == 4
    assert len(covered.events()) == 2


@pytest.mark.parametrize(
    ("answer", "kept"),
    [("y", "true"), ("Yes", "true"), ("n", "false"), ("", None), ("maybe", None), ("\x03", None)],
)
def test_the_opt_in_is_asked_once_and_kept(desk: Desk, answer: str, kept: str | None) -> None:
    with desk.shell() as shell:
        shell.type("w echo o''ne\n")
        shell.expect(OPT_IN)
        shell.type(answer if answer == "\x03" else answer + "\n")
        shell.expect(PROMPT)
        shell.run("echo status:$?")
        assert "status:0" in shell.transcript
        shell.run("w echo t''wo")
        assert shell.transcript.count(OPT_IN) == 1
    expected = f"ROLLCALL_USAGE_TELEMETRY={kept}\n" if kept else ""
    assert desk.env_file.read_text() == "# mine\nROLLCALL_PRODUCT=Acme\n" + expected
    assert sorted(map(str, desk.names())) == ["Installation Started"] * 2 + ["Installation Success"] * 2


@pytest.mark.parametrize(
    ("answer", "kept"), [("y", ["true", "2"]), ("n", ["false", None]), ("", ["true", None])]
)
def test_the_opt_in_is_asked_again_once_if_usage_events_say_more(
    desk: Desk, answer: str, kept: list[str | None]
) -> None:
    desk.asked_before()
    before = "ROLLCALL_USAGE_TELEMETRY=true\n"
    desk.env_file.write_text(before)
    desk.environment["ROLLCALL_PRODUCT"] = "Acme"
    with desk.shell() as shell:
        shell.run("w echo o''ne")
        assert WIDENED not in shell.transcript
        shell.type("ROLLCALL_USAGE_VERSION=2 w echo t''wo\n")
        shell.expect(WIDENED)
        shell.type(answer + "\n")
        shell.expect(PROMPT)
        shell.run("ROLLCALL_USAGE_VERSION=2 w echo t''hree")
        assert shell.transcript.count(WIDENED) == 1
        assert OPT_IN not in shell.transcript
    found = dict(line.split("=") for line in desk.env_file.read_text().splitlines())
    assert [found.get(f"ROLLCALL_USAGE_{name}") for name in ("TELEMETRY", "AGREED")] == kept


def test_help_is_asked_for_with_an_address(desk: Desk) -> None:
    with desk.shell() as shell:
        shell.type("w sh -c 'exit 6'\n")
        shell.expect(HELP)
        shell.type("no address\n")
        shell.expect("try again")
        shell.type("me@example.org\n")
        shell.expect("please quote ")
        shell.expect(PROMPT)
        shell.run("echo status:$?")
        shown = shell.screen
    assert "status:6" in shown
    started, failed, support = desk.log()
    assert (started["event"], failed["event"]) == ("Installation Started", "Installation Errors")
    properties = support["properties"]
    assert isinstance(properties, dict)
    assert properties["email"] == "me@example.org"
    assert f"please quote {properties['reference']}" in shown


@pytest.mark.parametrize("answers", [[""], ["a", "b", "c"], ["\x03"], ["\x04"]])
def test_no_address_sends_nothing_and_ends_as_cmd_did(desk: Desk, answers: list[str]) -> None:
    with desk.shell() as shell:
        shell.type("w sh -c 'exit 6'\n")
        for answer in answers:
            shell.expect(HELP if answer == answers[0] else "try again")
            shell.type(answer if answer in "\x03\x04" and answer else answer + "\n")
        shell.expect(PROMPT)
        shell.run("echo status:$?")
        assert "status:6" in shell.transcript
        assert ("rollcall support" in shell.transcript) == (len(answers) == 3)
    assert desk.names() == ["Installation Started", "Installation Errors"]


def test_no_address_is_asked_for_where_no_endpoint_could_get_it(desk: Desk) -> None:
    """The endpoint counts as it is after CMD, which may write docker.env."""
    del desk.environment["ROLLCALL_ENDPOINT"]
    with desk.shell() as shell:
        shell.type("w sh -c 'exit 6'\n")
        shell.expect(PROMPT)
        assert HELP not in shell.screen
        shell.type(f"w sh -c 'echo ROLLCALL_ENDPOINT={NOBODY_THERE} >>docker.env; exit 6'\n")
        shell.expect(HELP)
        shell.type("\n")
        shell.expect(PROMPT)
    # The end of the first may be recorded after the second has begun.
    assert Counter(desk.names()) == {"Installation Started": 2, "Installation Errors": 2}


@pytest.mark.parametrize("code", [0, 6])
def test_an_install_that_breaks_a_setting_is_recorded_and_nobody_is_asked(desk: Desk, code: int) -> None:
    with desk.shell() as shell:
        shell.type(f"w sh -c 'echo ROLLCALL_JITTER=never >>docker.env; exit {code}'\n")
        shell.expect(PROMPT)
        shell.run("echo status:$?")
        shown = shell.transcript
    assert f"status:{code}" in shown
    assert OPT_IN not in shown
    assert HELP not in shown
    assert "not recorded" not in shown
    desk.env_file.write_text("")
    assert desk.names() == ["Installation Started", "Installation Errors" if code else "Installation Success"]


def test_where_input_waits_nobody_is_asked(desk: Desk) -> None:
    with desk.shell() as shell:
        for end in ("3", "0"):
            shell.type(f"w sh -c 'echo U''P; sleep 0.5; exit {end}'\n")
            shell.expect("UP")
            shell.type("echo a''head\n")
            shell.expect("\nahead" if "\nahead" in shell.screen else "ahead")
        shell.run("true")
        assert HELP not in shell.screen
        assert OPT_IN not in shell.screen


@pytest.mark.parametrize(
    "command",
    [
        "w --no-input sh -c 'exit 3'",
        "w sh -c 'exit 3' 2>&1 | cat",
        "setsid -w w sh -c 'exit 3'",
        "w sh -c 'kill -INT $$'",
        "w sh -c 'stty -echo; exit 3'; stty echo",
        "w sh -c 'exit 3' & wait $!",
    ],
)
def test_nobody_is_asked_who_did_not_sit_there_for_it(desk: Desk, command: str) -> None:
    with desk.shell() as shell:
        shell.type(command + "\n")
        shell.expect(PROMPT)
        shell.run("echo st''atus")
        assert HELP not in shell.screen
        shell.type("w sh -c 'exit 3'\n")  # and the meter moves
        shell.expect(HELP)
        shell.type("\n")
        shell.expect(PROMPT)


@pytest.mark.parametrize(
    "choice", ["echo DO_NOT_TRACK=1 >>docker.env", f"{sys.executable} -I -m agent disable"]
)
def test_nobody_is_asked_whose_install_chose_silence(desk: Desk, choice: str) -> None:
    (desk.place / "install").write_text(f"{choice}\nexit $1\n")
    plain = desk.env_file.read_text()
    with desk.shell() as shell:
        for code, question in ((0, OPT_IN), (6, HELP)):
            shell.type(f"w sh install {code}\n")
            shell.expect(PROMPT)
            assert question not in shell.screen
            assert not (desk.place / "state/opt-in-asked").exists() or code
            desk.env_file.write_text(plain)
            shell.type(f"w sh -c 'exit {code}'\n")  # and the meter moves
            shell.expect(question)
            shell.type("\n")
            shell.expect(PROMPT)


def test_an_install_that_answered_the_opt_in_leaves_nothing_to_ask(desk: Desk) -> None:
    answers = f"{sys.executable} -I -m agent consent usage off\n"
    (desk.place / "install").write_text(answers)
    with desk.shell() as shell:
        shell.type("w sh install\n")
        shell.expect(PROMPT)
        assert OPT_IN not in shell.screen
        desk.env_file.write_text("ROLLCALL_PRODUCT=Acme\n")
        shell.type("w true\n")
        shell.expect(OPT_IN)
        shell.type("\n")
        shell.expect(PROMPT)


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
import os, select, sys
from agent.config.situation import read_situation
from agent.wrapper.person import questions
another, wait, left = os.open("/dev/tty", os.O_RDWR), select.select, [1]
def outrun(reads, *rest):
    found = wait(reads, *rest)
    if found[0] and left:
        left.clear()
        print("taken:", os.read(another, 99))
    return found
select.select = outrun
situation = read_situation(os.environ, cwd=os.getcwd(), uid=os.geteuid())
print("answer:", repr(questions.ask_for_help(situation, "01234567", seconds=float(sys.argv[1]))))
"""


def test_a_question_waits_no_longer_where_another_process_takes_the_line(desk: Desk) -> None:
    (desk.place / "another.py").write_text(ANOTHER_READER)
    with desk.shell() as shell:
        for seconds, more, answer in (("1", "", "''"), ("60", "me@example.org\n", "'me@example.org'")):
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
        until((desk.place / "state/opt-in-asked").exists, 30)
        shell.type(go_on)
        shell.expect(OPT_IN)
        shell.type("y\n")
        shell.expect(PROMPT)
    assert "ROLLCALL_USAGE_TELEMETRY=true" in desk.env_file.read_text()


def test_support_asks_later(desk: Desk) -> None:
    desk.asked_before()
    with desk.shell() as shell:
        shell.run("w --no-input sh -c 'exit 3'")
        agent = f"{sys.executable} -I -m agent support\n"
        shell.type(agent)
        shell.expect(HELP)
        shell.type("none\n")
        shell.expect("not an e-mail address")
        shell.type("me@example.org\n")
        shell.expect("please quote")
        shell.expect(PROMPT)
        shell.type(agent)
        shell.expect(HELP)
        shell.type("\n")
        shell.expect("nothing is sent")
        shell.expect(PROMPT)
    assert desk.names() == ["Installation Started", "Installation Errors", "Installation Support"]
