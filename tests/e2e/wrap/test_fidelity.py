"""Wrapped against bare, where no terminal is involved: nobody can tell."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.wrap.side_by_side import WRAP, Ending, Sides
from tests.wait import PATIENCE

SCRIPTS = {
    "success": "true",
    "failure": "exit 3",
    "output on both": "echo out; echo err >&2; echo out again",
    "much output": "head -c 3000000 /dev/zero | tr '\\0' x; seq 20000 >&2",
    "no newline at the end": "printf 'no newline'",
    "every byte": 'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i+1)); done',
    "stdin": "cat",
    "stdin half read": "head -c 3; echo; cat | wc -c",
    "closes stdout": "echo a; exec >&-; echo b",
    "closes all": "exec <&- >&- 2>&-; exit 9",
    "files made": "echo x > a; mkdir d; umask 077; echo y > d/b; ln -s a c",
    "umask": "umask; touch f; stat -c %a f",
    "working directory": "pwd; cd /; pwd",
    "limits": "ulimit -a",
    "environment": "env | sort",
    "environment of a grandchild": "sh -c 'sh -c env' | sort",
    "flags": "echo $-",
    "arguments": 'for a in "$@"; do printf \'<%s>\' "$a"; done',
    "name": "echo $0",
    "descriptors": "ls /proc/self/fd | wc -l",
    "signals": "grep -E 'Sig(Blk|Ign)' /proc/self/status",
    "signals of bash": "bash -c \"grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status\"",
    "session and group are the caller's": "test $(ps -o sid= -p $$) -eq $(ps -o sid= -p $PPID) && echo same",
    "capabilities": "grep Cap /proc/self/status; grep -i seccomp /proc/self/status",
    "nice": "nice",
    "oom score": "cat /proc/self/oom_score_adj",
    "locale": "locale 2>&1",
    "terminal or not": "test -t 0 || test -t 1 || test -t 2 || echo none",
    "tty": "tty; (: </dev/tty) 2>/dev/null && echo has one",
    "pipe broken": "yes | head -n 2",
    "sigpipe kills": "sh -c 'kill -PIPE $$'; echo $?",
    "background job": "sleep 0.05 & wait $!; echo $?",
    "background job fails": "(exit 5) & wait $!; echo $?",
    "trap on exit": "trap 'echo bye' EXIT; echo hi; exit 4",
    "trap on term": "trap 'echo got; exit 6' TERM; kill -TERM $$; sleep 5",
    "kills a child": "exec 2>/dev/null; sleep 9 & kill $!; wait $!; echo $?",  # dash may say so or not
    "kills its group's other member": "(sleep 9 & kill -9 $!; wait; echo $?) 2>/dev/null",
    "subshell": "(cd /; pwd); x=$(echo in); echo $x",
    "here-document": "cat <<EOF\na\nb\nEOF",
    "exec": "exec echo replaced",
    "exec fails": "exec /nonexistent",
    "not found inside": "nosuchcommand; echo $?",
    "syntax error": "if",
    "unset variable": "set -u; echo $nope; echo not reached",
    "errexit": "set -e; false; echo not reached",
    "tput": "TERM=xterm tput cols; TERM=xterm tput bold | od -c",
    "date of a file": "touch -d @0 f; stat -c %Y f",
    "python": f"{sys.executable} -c 'import os, sys; print(os.environ.get(\"LC_CTYPE\"), sys.flags)'",
    "read without input": "read x; echo $?",
    "zombies": "sleep 0 & sleep 0 & wait; ps -o stat= --ppid $$ | grep -c Z",
    "children of its own alone": "ps -o comm= --ppid $$ >list; cat list",
    "xtrace": "set -x; echo a; false; echo b",
}


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_cannot_tell(sides: Sides, name: str, shell: str) -> None:
    files = {"install.sh": f"#!/usr/bin/env {shell}\n{SCRIPTS[name]}\n".encode()}
    argv: list[str | bytes] = ["./install.sh", "one", "two words", "", "ünï", b"\xff\xfe", "*", "--", "-x"]
    bare = sides.bare(argv, files=files, input=b"first\nsecond line\n")
    assert sides.wrapped(argv, files=files, input=b"first\nsecond line\n") == bare


def test_the_comparison_would_notice(sides: Sides) -> None:
    bare = sides.bare(["sh", "-c", "echo $PPID"])
    assert sides.wrapped(["sh", "-c", "echo $PPID"]) != bare


ENDS = """
import os, signal, sys
sys.executable = "/bin/true"  # what would deliver is not what is shown here
from agent.wrapper import boot
kill = "import os, sys; os.kill(os.getpid(), int(sys.argv[1]))"

def wrap(*command):
    pid = os.fork()
    if pid == 0:
        sys.argv = ["wrap", "--no-input", "--", *command]
        os._exit(boot.main(sys.argv[1:]))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

python, *fatal = sys.argv[1:]
codes = {code: wrap("sh", "-c", f"exit {code}") for code in range(256)}
deaths = {int(number): wrap(python, "-c", kill, number) for number in fatal}
print({code: got for code, got in codes.items() if got != code})
print({number: got for number, got in deaths.items() if got != -number})
"""
FATAL = sorted(
    set(signal.valid_signals())
    - {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
    - {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
    - {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT}  # a Python that runs does not die by these
)


def test_every_code_and_every_fatal_signal_is_the_childs(sides: Sides) -> None:
    """All of them by forks of one Python that has the wrapper in it: its own start is saved 300 times."""
    assert len(FATAL) > 50
    done = subprocess.run(
        [sys.executable, "-I", "-c", ENDS, sys.executable, *map(str, map(int, FATAL))],
        env=sides.environment(), capture_output=True, text=True, check=True, timeout=200,
    )  # fmt: skip
    assert done.stdout == "{}\n{}\n"


@pytest.mark.parametrize("end", ["exit 0", "exit 255", "kill -KILL $$", "kill -INT $$", "kill -PIPE $$"])
def test_the_command_as_it_is_installed_ends_so_too(sides: Sides, launcher: Path, end: str) -> None:
    bare = sides.bare(["sh", "-c", end])
    assert sides.bare([str(launcher), "wrap", "--", "sh", "-c", end]).code == bare.code


CANNOT_START = {
    "not found": (["nosuchcommand"], 127),
    "not found by path": (["./nosuch"], 127),
    "a folder": (["/tmp"], 126),
    "not executable": (["/etc/passwd"], 126),
    "below a file": (["/etc/passwd/x"], 126),
    "empty": ([""], 127),
}


@pytest.mark.parametrize("name", CANNOT_START)
def test_what_cannot_be_started_ends_as_in_a_shell(sides: Sides, name: str) -> None:
    argv, code = CANNOT_START[name]
    shell = subprocess.run(["bash", "-c", '"$1"', "rollcall", *argv], capture_output=True, check=False)
    ending = sides.wrapped(argv)
    assert ending.code == shell.returncode == code
    assert ending.err.decode() == shell.stderr.decode().replace("line 1: ", "")
    assert [event["event"] for event in sides.events()] == ["Installation Started", "Installation Errors"]


def test_a_script_without_a_shebang_runs_in_a_shell(sides: Sides) -> None:
    files = {"install": b"echo ran with $1; exit 5\n"}
    ending = sides.wrapped(["./install", "this"], files=files)
    assert (ending.code, ending.out) == (5, b"ran with this\n")


def test_a_binary_of_no_known_format_is_refused_as_a_shell_does(sides: Sides) -> None:
    ending = sides.wrapped(["./install"], files={"install": b"\x00\x01binary\n"})
    assert (ending.code, ending.err) == (
        126,
        b"rollcall: ./install: cannot execute binary file: Exec format error\n",
    )


OPEN_ONES = """
import os, sys
found = [fd for fd in range(16) if os.path.exists(f"/proc/self/fd/{fd}")]
open(sys.argv[1], "w").write(str(found))
"""


def with_closed(*closed: int) -> Callable[[], None]:
    def close() -> None:
        for fd in closed:
            os.close(fd)

    return close


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1)])
def test_closed_descriptors_stay_closed(sides: Sides, closed: tuple[int, ...], tmp_path: Path) -> None:
    report = tmp_path / "report"
    argv = [sys.executable, "-I", "-c", OPEN_ONES, str(report)]
    seen = []
    for run in (sides.bare, sides.wrapped):
        run(argv, preexec_fn=with_closed(*closed), input=None, stdin=None)
        seen.append(report.read_bytes())
    assert seen[0] == seen[1]
    assert not set(json.loads(seen[0])) & set(closed)


@pytest.mark.parametrize("way", ["direct", "launcher"])
@pytest.mark.parametrize(
    "ignored", [(), (signal.SIGPIPE,), (signal.SIGCHLD,), (signal.SIGHUP, signal.SIGINT)]
)
def test_ignored_signals_stay_ignored(
    sides: Sides, ignored: tuple[int, ...], way: str, launcher: Path
) -> None:
    shell = "".join(f"trap '' {int(number)}; " for number in ignored) + '"$@"; :'
    command = ["grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"]
    wrap = [str(launcher), "wrap"] if way == "launcher" else list(WRAP)
    bare = sides.bare(["bash", "-c", shell, "x", *command])
    wrapped = sides.bare(["bash", "-c", shell, "x", *wrap, "--", *command])
    assert wrapped.out == bare.out


@pytest.mark.parametrize("entries", [["A=1", "A=2"], ["a.b=c"], ["BASH_FUNC_f%%=() { :; }"], ["=odd=1"], []])
def test_the_environment_is_the_same_to_the_byte(sides: Sides, entries: list[str], launcher: Path) -> None:
    state = f"ROLLCALL_STATE_DIR={sides.state}"
    given = "".join(entry + "\0" for entry in [*entries, state, "X=\udcff"])
    for wrap in ([], list(WRAP), [str(launcher), "wrap"]):
        assert exec_with(given, [*wrap, *(["--"] if wrap else []), "/bin/cat", "/proc/self/environ"]) == given


def test_an_entry_without_an_equals_sign_survives(sides: Sides) -> None:
    given = f"ROLLCALL_STATE_DIR={sides.state}\0ODD\0B=1\0"
    assert exec_with(given, [*WRAP, "--", "/bin/cat", "/proc/self/environ"]) == given


def exec_with(entries: str, argv: list[str]) -> str:
    code = (
        "import ctypes, os, sys\n"
        "words = [os.fsencode(w) for w in sys.argv[2:]]\n"
        "entries = sys.stdin.buffer.read().split(b'\\0')[:-1]\n"
        "null = os.open(os.devnull, 0); os.dup2(null, 0)\n"
        "array = lambda a: (ctypes.c_char_p * (len(a) + 1))(*a, None)\n"
        "ctypes.CDLL(None).execve(words[0], array(words), array(entries))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "x", *argv],
        input=os.fsencode(entries),
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    return os.fsdecode(done.stdout)


def test_a_hundred_thousand_words_arrive(sides: Sides) -> None:
    words = [str(n) for n in range(100_000)]
    ending = sides.wrapped(["sh", "-c", "echo $# ${99999}", "x", *words])
    assert ending.out == b"100000 99998\n"


def test_what_is_left_behind_is_not_waited_for(sides: Sides) -> None:
    argv = ["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 </dev/null & echo $!"]
    ending = sides.wrapped(argv, timeout=PATIENCE)
    os.kill(int(ending.out), signal.SIGKILL)
    assert ending.code == 0


def test_a_pipe_that_the_command_closes_is_closed(sides: Sides) -> None:
    script = "{ %s sh -c 'echo x; exec >&- 2>&-; read y' <&3 | cat; echo closed >&2; } 3<&0"
    with subprocess.Popen(
        ["bash", "-c", script % " ".join([*WRAP, "--"])],
        env=sides.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert process.stdin is not None
        lines = [process.stderr.readline()]  # the notice
        process.stdin.close()
        lines.append(process.stderr.readline())
        assert lines[1] == b"closed\n"


def test_a_wrap_in_a_wrap_reports_once(sides: Sides) -> None:
    ending = sides.wrapped([*WRAP, "--", "sh", "-c", "exit 7"])
    assert ending == Ending(7, b"", b"", ())
    assert [event["event"] for event in sides.events()] == ["Installation Started", "Installation Errors"]


def test_two_wraps_side_by_side_report_twice(sides: Sides) -> None:
    sides.wrapped(["true"])
    sides.wrapped(["true"])
    assert len(sides.events()) == 4
