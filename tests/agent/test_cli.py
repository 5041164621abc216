from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent import cli
from agent.base import stdio
from agent.config.settings import SETTINGS
from tests import environ
from tests.agent.world import FLAG, World, tree
from tests.verbs import AGENT
from tests.wait import PATIENCE

USAGE = {"ROLLCALL_USAGE_TELEMETRY": "true"}
WRONG = [
    (["dance"], {}, "invalid choice: 'dance'"),
    ([], {}, "the following arguments are required: VERB"),
    (["status", "--jsn"], {}, "unrecognized arguments: --jsn"),
    (["status", "--js"], {}, "unrecognized arguments: --js"),
    (["status", "\x1b[2J\n"], {}, r"unrecognized arguments: \\x1b\[2J\\n"),
    (["log", "-n", "many"], {}, "'many' is not a whole number"),
    (["consent", "usage", "maybe"], {}, "invalid choice: 'maybe'"),
    (
        ["preview", "Install Danced"],
        {},
        "there is no event 'Install Danced'; choose one of: Installation Started",
    ),
    (["track", "Instance Active"], USAGE, "'Instance Active' is an event of Rollcall itself"),
    (["track", "E", "-p", "x"], USAGE, "takes key=text, or key:= and a number"),
    (["track", "E", "-p", "x:=[1]"], {}, "a number, true, false, null or text"),
    (["track", "E", "-p", "x:=NaN"], {}, "a number, true, false, null or text"),
    (["track", "E", "-p", "x:=1e999"], USAGE, "a number, true, false, null or text"),
    (["flush", "--budget", "soon"], {}, "'soon' is not a duration"),
    (["status"], {"ROLLCALL_INTERVAL": "soon"}, r"ROLLCALL_INTERVAL \(the environment\) .* 90s 15m 6h 1d"),
    (
        ["status"],
        {"ROLLCALL_ENDPOINT": "api.segment.io"},
        r"ROLLCALL_ENDPOINT \(the environment\) .* base URL",
    ),
    (
        ["beat"],
        {"ROLLCALL_WRITE_KEY_FILE": "/no/key"},
        r"ROLLCALL_WRITE_KEY_FILE \(the environment\) .* exists",
    ),
    (["beat"], {"ROLLCALL_HEALTH": "pulse"}, r"ROLLCALL_HEALTH \(the environment\) .* unit:NAME"),
]


@pytest.mark.parametrize(("argv", "more", "words"), WRONG)
def test_wrong_use_is_one_line_and_exit_2_and_nothing_half_done(
    world: World, argv: list[str], more: dict[str, str], words: str
) -> None:
    world.environ |= more
    before = tree(world.path)
    done = world.run(*argv)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert re.search(words, done.err)
    assert tree(world.path) == before


def test_a_bad_setting_in_a_file_is_named_by_file_and_line(world: World) -> None:
    path = world.env_file("# x\nROLLCALL_INTERVAL=soon\n")
    done = world.run("status")
    assert done.code == 2
    assert done.err.startswith(
        f"rollcall: ROLLCALL_INTERVAL ({path}:2) is not valid: it takes a whole number"
    )


OF_THEIR_OWN = ["wrap", "daemon"]
VERBS = ["status", "doctor", "log", "preview", "disable", "enable", "consent", "forget"]
VERBS += ["beat", "flush", "track", "export", "support", "updates", "prove"]


def test_the_verbs_are_those_that_were_promised() -> None:
    (found,) = (action.choices for action in cli.parser()._actions if action.dest == "verb")
    assert set(found or ()) == {*VERBS, *OF_THEIR_OWN}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(world: World, verb: str) -> None:
    done = world.run(verb, "--help")
    assert done.code == 0
    assert f"usage: rollcall {verb}" in done.out
    assert verb in world.run("--help").out


@pytest.mark.parametrize("verb", OF_THEIR_OWN)
def test_the_help_of_a_verb_that_goes_its_own_way_says_what_the_docs_say(world: World, verb: str) -> None:
    done = world.process(verb, "--help")
    (usage, *_) = done.out.splitlines()
    assert done.code == 0
    assert f"    {verb} " in world.run("--help").out
    page = (Path(__file__).parents[2] / "docs" / "verbs.md").read_text()
    assert f"### {verb}\n\n`{usage.removeprefix('usage: ')}`" in page


def test_help_names_every_setting_with_its_default(world: World) -> None:
    shown = world.run("--help").out
    for setting in SETTINGS:
        assert setting.name in shown
        assert setting.meaning in shown
    assert "DO_NOT_TRACK" in shown


def test_a_fault_of_our_own_is_said_and_never_shown_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("s3cret")

    monkeypatch.setattr("agent.verbs.status.show_status", broken)
    done = world.run("status")
    assert done.code == 1
    assert re.fullmatch(
        r"rollcall: an error in rollcall itself, RuntimeError at test_cli.py:\d+; please report it\n",
        done.err,
    )


def test_an_interrupt_is_130(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.verbs.status.show_status", interrupted)
    assert world.run("status").code == 130


def shell(world: World, line: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of sh in which $R is the command."""
    program = f'R() {{ "{sys.executable}" -I -m agent "$@"; }}; {line}'
    env = world.real_environ()
    return subprocess.run(
        ["sh", "-c", program], cwd=world.cwd, env=env, capture_output=True, check=False, timeout=PATIENCE
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("R status >&-", 1),
        ("R status <&- >&- 2>&-", 1),
        ("R status 2>&-", 0),
        ("R status >/dev/full", 1),
        ("R status 2>/dev/full", 0),
        ("R log >&-", 0),
        ("R disable >&- 2>&-", 0),
        ("R disable >/dev/full 2>/dev/full", 0),
        ("R dance 2>&-", 2),
        ("R dance 2>/dev/full", 2),
        ("R preview >&- 2>/dev/full", 1),
    ],
)
def test_closed_and_full_streams_cost_their_words_and_no_more(world: World, line: str, code: int) -> None:
    world.environ["ROLLCALL_ENV_FILE"] = "docker.env"
    done = shell(world, line)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr
    if "disable" in line:
        assert (world.cwd / "docker.env").read_text() == f"{FLAG}=true\n"


@pytest.mark.parametrize("line", ["R status", "R status --json", "R log --json", "R preview"])
@pytest.mark.parametrize(
    ("to", "why"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")], ids=range(2)
)
def test_a_stdout_that_takes_nothing_is_named(world: World, line: str, to: str, why: str) -> None:
    world.environ |= {"ROLLCALL_USAGE_TELEMETRY": "true", "ROLLCALL_ENV_FILE": "docker.env"}
    assert shell(world, "R track Filled").returncode == 0
    done = shell(world, f"{line} {to}")
    assert (done.returncode, done.stderr.decode().splitlines()[-1]) == (1, f"rollcall: stdout: {why}")


def test_no_file_of_ours_lands_on_a_closed_descriptor(world: World) -> None:
    world.environ |= {"ROLLCALL_USAGE_TELEMETRY": "true", "ROLLCALL_ENV_FILE": "docker.env"}
    assert shell(world, "R track Filled <&- >&- 2>&-").returncode == 0
    assert shell(world, "R log --json").stdout.count(b"\n") == 1


def test_a_reader_that_leaves_is_no_error_worth_words(world: World) -> None:
    done = shell(world, "R preview | true; R preview | head -c 1; echo done")
    assert done.stdout.endswith(b"done\n")
    assert b"Broken" not in done.stderr
    assert b"Exception" not in done.stderr


def test_a_deleted_working_directory_hinders_nobody(world: World) -> None:
    done = shell(world, "mkdir gone && cd gone && rmdir ../gone && R status --json && cd / && R log")
    assert done.returncode == 0
    assert b'"sending": true' in done.stdout


@pytest.mark.parametrize(
    "lang", [{"LANG": "C"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "C.UTF-8"}, {"PYTHONUTF8": "0"}]
)
def test_a_path_of_any_bytes_in_any_locale_is_shown_escaped(world: World, lang: dict[str, str]) -> None:
    folder = os.path.join(os.fsencode(world.path), b"\xff\x1b[2J\xc3\xa9")
    os.mkdir(folder)
    with open(os.path.join(folder, b"docker.env"), "w") as file:
        file.write("DO_NOT_TRACK=1\n")
    env = {os.fsencode(k): os.fsencode(v) for k, v in environ.covered(world.path / "home", **lang).items()}
    env[b"ROLLCALL_ENV_FILE"] = os.path.join(folder, b"docker.env")
    env[b"ROLLCALL_STATE_DIR"] = os.path.join(folder, b"state")
    for verb in ("status", "log", "disable", "status"):
        done = subprocess.run(
            [*AGENT, verb], cwd=world.cwd, env=env, capture_output=True, check=False, timeout=PATIENCE
        )
        assert (done.returncode, b"\x1b" in done.stdout + done.stderr) == (0, False), done
        assert rb"\x1b[2J" in done.stdout + done.stderr


def test_an_environment_cannot_steer_the_terminal(world: World) -> None:
    world.environ["\x1b]0;x\x07_DISABLE_TELEMETRY"] = "1"
    done = world.run("status")
    assert "\x1b" not in done.out
    assert r"\x1b]0;x\x07_DISABLE_TELEMETRY in the environment" in done.out


@pytest.mark.parametrize("home", [None, "", "relative", "/nonexistent"])
def test_no_home_or_an_odd_one_makes_nothing_in_the_working_directory(world: World, home: str | None) -> None:
    env = world.real_environ()
    del env["HOME"], env["ROLLCALL_STATE_DIR"]
    if home is not None:
        env["HOME"] = home
    for verb in ("status", "log", "preview"):
        done = subprocess.run(
            [*AGENT, verb], cwd=world.cwd, env=env, capture_output=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, done
    assert tree(world.cwd) == []


@pytest.mark.parametrize("now", [0.0, -1e9, 1.0, 16_725_225_600.0, 1e15])
def test_a_wrong_clock_is_no_trouble(world: World, now: float) -> None:
    world.environ |= {"ROLLCALL_USAGE_TELEMETRY": "true"}
    world.now = now
    assert world.run("track", "Filled").code == 0
    assert world.run("beat").code == 0
    assert [world.run(verb).code for verb in ("status", "log", "preview", "disable", "forget")] == [0] * 5


def test_an_interrupt_at_a_terminal_ends_it_quietly(world: World) -> None:
    master, slave = pty.openpty()
    script = "import sys, agent.verbs.status as verb\n"
    # It loops without a pause, in which a signal could be missed.
    script += "def show_status(*_):\n    print('up', flush=True)\n    while True: pass\n"
    script += "verb.show_status = show_status\nfrom agent.cli import main\nsys.exit(main(['status']))"
    env = world.real_environ()
    with subprocess.Popen(
        [sys.executable, "-I", "-c", script],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=env,
        start_new_session=True,
    ) as process:
        os.close(slave)
        seen = b""
        while b"up" not in seen:
            seen += os.read(master, 1024)
        process.send_signal(signal.SIGINT)
    os.close(master)
    assert process.returncode == 130


def test_a_number_beyond_any_is_the_largest(world: World) -> None:
    world.environ |= {"ROLLCALL_USAGE_TELEMETRY": "true"}
    world.run("track", "Filled")
    assert world.run("log", "-n", "9" * 4000).out.count("\n") == 1
    assert world.run("log", "-n", str(2**63)).code == 0


def test_the_streams_that_are_there_are_used_as_they_are() -> None:
    assert isinstance(stdio._usable(sys.__stdout__, 1), type(sys.__stdout__))
    assert cli.MOST < 2**63


def test_the_command_is_the_module(world: World) -> None:
    for argv in (AGENT, [str(Path(sys.executable).with_name("rollcall"))]):
        done = subprocess.run(
            [*argv, "--version"], env=environ.covered("/"), capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith("rollcall ")


def test_a_flag_wins_over_a_setting_that_does_not_parse(world: World) -> None:
    world.env_file("ROLLCALL_INTERVAL=soon\n")
    for verb in ("beat", "flush", "status"):
        assert world.run(verb).code == 2
    world.env_file("ROLLCALL_INTERVAL=soon\nDO_NOT_TRACK=1\n")
    for verb in ("beat", "flush"):
        done = world.run(verb, "--report")
        assert (done.code, done.err) == (0, "")
        assert (done.json["sending"], done.json["rule"], done.json["interval"]) == (False, "flag", 6 * 3600)
    status = world.run("status", "--json")
    assert status.json["sending"] is False
    assert "ROLLCALL_INTERVAL" in status.err


def test_what_waited_is_erased_by_a_flag_beside_a_setting_that_does_not_parse(world: World) -> None:
    world.run("beat")
    assert '"waiting"' in world.run("log", "--json").out
    world.env_file("ROLLCALL_HEALTH=?\nDO_NOT_TRACK=1\n")
    world.run("flush")
    assert '"waiting"' not in world.run("log", "--json").out
