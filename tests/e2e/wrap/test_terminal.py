"""Wrapped against bare at a terminal: the same screen, the same job control, the same status.

`w` stands for the wrapper or, in the bare run, for a script that execs its arguments.
A scenario is a list of (what is typed, what is waited for); a number is a resize.
"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import environ
from tests.e2e.wrap.shell import PROMPT, Shell, told_before

C, Z, Q, D = "\x03", "\x1a", "\x1c", "\x04"  # ^C ^Z ^\ ^D
STATUS = ("echo status:$?\n", PROMPT)
PYTHON = sys.executable
GO = "go"  # is not typed: what waits for it goes on
UP = "sh -c 'echo U''P; exec sleep 600'"
FIRST, LAST = "sh -c 'echo; exec sleep 600'", "sh -c 'read x; echo U''P; exec cat'"
TO_GO = f"exec {PYTHON} goes.py"  # one program
UNTIL_GO = "until [ -e go ]; do sleep 0.02; done"  # a script
UP_TO_GO = f"sh -c 'echo U''P; {TO_GO}'"

WAIT = "until [ -s up ]; do sleep 0.02; done\n"
BACK = [(f"rm -f up; w {UP} >up &\n", PROMPT), (WAIT, PROMPT)]
# Whether the job has ended before an `fg` asks for it is a matter of luck, wrapped or bare.
KILLED = ("kill %1; while kill -0 %1; do sleep 0.02; done 2>&-\n", PROMPT)

# Tells when it is continued, and when it comes to the foreground: only then is a ^Z for it. It starts
# no program, for a shell that waits for one may take a ^C for that one's. Its whole line is waited for: a
# ^Z drops what the terminal has not shown yet.
STANDS = """
import os, signal, time
def in_front():
    return os.tcgetpgrp(0) == os.getpgrp()
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGCONT, lambda *_: in_front() and os.write(1, b"back\\n"))
os.write(1, b"UP\\n")
before = True
while True:
    now = in_front()
    if before and not now:
        open("behind", "w").close()
    if now and not before:
        os.write(1, b"in front\\n")
    before = now
    time.sleep(0.01)
"""

# What says UP is dash, and becomes the program that it waits in: a signal that comes while a shell
# starts one may be lost, by bash above all, wrapped or bare. So UP comes when all of a pipeline runs.
# None ends by itself before it is told to: how fast this machine is must not show.
SCENARIOS: dict[str, list[tuple[str, str]]] = {
    "true": [("w true\n", PROMPT)],
    "false": [("w false\n", PROMPT)],
    "output": [("w sh -c 'echo out; echo err >&2; exit 7'\n", PROMPT)],
    "not found": [("w true || w false\n", PROMPT)],
    "^C at a program": [(f"w {UP}\n", "UP"), (C, PROMPT)],
    "^C at a script": [("w sh -c '(echo U''P; exec sleep 600); echo not reached'\n", "UP"), (C, PROMPT)],
    "^C at a bash script": [("w bash up.sh\n", "UP"), (C, PROMPT)],
    "^C in a script's trap": [("w bash trapint.sh\n", "UP"), (C, "once"), ("\n", PROMPT)],
    "^C ignored": [
        (f"w sh -c 'trap \"\" INT; echo U''P; {UNTIL_GO}; echo went on'\n", "UP"),
        (C, "^C"),
        (GO, PROMPT),
    ],
    "^C in a pipeline": [(f"w {FIRST} | {LAST}\n", "UP"), (C, PROMPT)],
    "^C at the pipeline's end": [(f"{FIRST} | w {LAST}\n", "UP"), (C, PROMPT)],
    "^C stops the calling loop": [(f"for i in 1 2; do w {UP}; done\n", "UP"), (C, PROMPT)],
    "^C stops the calling script": [("bash calls.sh\n", "UP"), (C, PROMPT)],
    "^Z and fg": [(f"w {UP_TO_GO}\n", "UP"), (Z, PROMPT), ("fg\n", "goes.py'"), (GO, PROMPT)],
    "^Z and bg": [
        (f"w {UP_TO_GO}\n", "UP"),
        (Z, PROMPT),
        ("bg\n", PROMPT),
        ("wait\n", "wait\r"),
        (GO, PROMPT),
    ],
    "^Z and kill": [(f"w {UP}\n", "UP"), (Z, PROMPT), KILLED],
    "^Z and jobs": [(f"w {UP}\n", "UP"), (Z, PROMPT), ("jobs\n", PROMPT), KILLED],
    "^Z in a pipeline": [
        (f"w sh -c 'echo; {TO_GO}' | {LAST}\n", "UP"),
        (Z, PROMPT),
        ("fg\n", "exec cat'"),
        (GO, PROMPT),
    ],
    "^Z at a script": [
        (f"w sh -c '(echo U''P; {TO_GO}); echo done'\n", "UP"),
        (Z, PROMPT),
        ("fg\n", "echo done'"),
        (GO, PROMPT),
    ],
    "^Z twice": [
        (f"w {PYTHON} stands.py\n", "UP"),
        (Z, PROMPT),
        ("fg\n", "back\r\n"),
        (Z, PROMPT),
        ("fg\n", "back\r\n"),
        (C, PROMPT),
    ],
    "^Z, bg, fg, ^Z": [
        (f"w {PYTHON} stands.py\n", "UP"),
        (Z, PROMPT),
        ("bg\n", PROMPT),
        ("until [ -e behind ]; do sleep 0.02; done\n", PROMPT),
        ("fg\n", "in front\r\n"),
        (Z, PROMPT),
        KILLED,
    ],
    "^Z ignored": [
        (f"w sh -c 'trap \"\" TSTP; echo U''P; {UNTIL_GO}; echo went on'\n", "UP"),
        (Z, "^Z"),
        (GO, PROMPT),
    ],
    "^\\ at a program": [(f"ulimit -c 0; w {UP}\n", "UP"), (Q, PROMPT)],
    "^\\ at a script": [
        ("ulimit -c 0; w sh -c '(echo U''P; exec sleep 600); echo not reached'\n", "UP"),
        (Q, PROMPT),
    ],
    "^\\ in a pipeline": [(f"ulimit -c 0; w {FIRST} | {LAST}\n", "UP"), (Q, PROMPT)],
    "stops itself": [("w sh -c 'kill -STOP $$; echo on'\n", PROMPT), ("fg\n", "on\r"), ("", PROMPT)],
    "background": [(f"w {PYTHON} goes.py &\n", PROMPT), ("wait $!\n", "wait $!\r"), (GO, PROMPT)],
    "background, failing": [
        (f"w sh -c '{UNTIL_GO}; exit 3' &\n", PROMPT),
        ("wait $!\n", "wait $!\r"),
        (GO, PROMPT),
    ],
    "background, then fg": [(f"w {PYTHON} goes.py &\n", PROMPT), ("fg\n", "goes.py"), (GO, PROMPT)],
    "background, killed": [*BACK, ("kill %1; wait $!\n", PROMPT)],
    "background reads": [
        ("w sh -c 'sleep 0.5; read x; echo got:$x' &\n", PROMPT),
        ("until ps -o stat= -p $! | grep -q T; do sleep 0.02; done\n", PROMPT),
        ("fg\n", "got:$x'"),
        ("line\n", "got:line"),
        ("", PROMPT),
    ],
    "kill by pid": [*BACK, ("kill $!; wait $!\n", PROMPT)],
    "kill -TERM by pid, trapped": [
        ("rm -f up; w bash trapint.sh >up &\n", PROMPT),
        (WAIT, PROMPT),
        ("kill -TERM $!; wait $!\n", PROMPT),
    ],
    "kill -HUP by pid": [*BACK, ("kill -HUP $!; wait $!\n", PROMPT)],
    "kill -STOP and -CONT the group": [
        (f"rm -f up; w {UP_TO_GO} >up &\n", PROMPT),
        (WAIT, PROMPT),
        ("kill -STOP %1; kill -CONT %1; wait $!\n", "wait $!\r"),
        (GO, PROMPT),
    ],
    "disown": [("w sleep 0.1 & disown; jobs; wait\n", PROMPT)],
    "prompt on stdin": [
        ("w sh -c 'printf n''ame:; read x; echo hi $x'\n", "name:"),
        ("me\n", "hi me"),
        ("", PROMPT),
    ],
    "prompt on the terminal": [
        ("echo | w sh -c 'printf n''ame: >/dev/tty; read x </dev/tty; echo hi $x'\n", "name:"),
        ("me\n", "hi me"),
        ("", PROMPT),
    ],
    "hidden prompt": [("w bash -c 'read -rsp p''w: x; echo; echo $x'\n", "pw:"), ("geheim\n", PROMPT)],
    "getpass": [
        (f'w {PYTHON} -c \'import getpass; print(getpass.getpass("pw" ":"))\'\n', "pw:"),
        ("geheim\n", PROMPT),
    ],
    "^C at a hidden prompt": [
        ("w bash -c 'read -rsp p''w: x'\n", "pw:"),
        (C, PROMPT),
        ("stty sane\n", PROMPT),
    ],
    "^D": [("w sh -c 'echo U''P; cat'\n", "UP"), ("a\n", "a\r\na"), (D, PROMPT)],
    "stty size": [("w stty size\n", PROMPT)],
    "stty -a": [("w stty -a\n", PROMPT)],
    "stty sets": [("w stty -echoctl; stty -a | grep -o .echoctl; stty echoctl\n", PROMPT)],
    "tput": [("TERM=xterm w tput cols; TERM=xterm w tput lines\n", PROMPT)],
    "tty": [("w tty | sed 's/[0-9]//g'; w test -t 0 && w test -t 1 && w test -t 2\n", PROMPT)],
    "resize": [
        ("w bash winch.sh\n", "UP"),
        ("resize 30 100", "30 100"),
        ("", PROMPT),
    ],
    "curl | bash": [("cat up0.sh | w bash\n", PROMPT)],
    "curl | bash that asks": [("cat ask.sh | w bash\n", "name:"), ("me\n", "hi me"), ("", PROMPT)],
    "^C at curl | bash": [("cat up.sh | w bash\n", "UP"), (C, PROMPT)],
    "nohup outside": [("nohup w sh -c 'echo x; exit 4' 2>&1 | cat\n", PROMPT)],
    "nohup inside": [("w nohup sh -c 'echo x; exit 4' 2>&1 | cat; echo ${PIPESTATUS[0]}\n", PROMPT)],
    "setsid inside": [("w setsid -w sh -c 'tty; exit 5'\n", PROMPT)],
    "timeout outside": [("timeout 0.5 w sleep 9\n", PROMPT)],
    "timeout outside, foreground": [("timeout --foreground 0.5 w sleep 9\n", PROMPT)],
    "timeout inside": [("w timeout 0.3 sleep 9\n", PROMPT)],
    "timeout -k": [("timeout -k 2 6 w sh -c 'trap : TERM; sleep 60; sleep 60'\n", PROMPT)],
    "subshell": [("(w sh -c 'exit 6')\n", PROMPT)],
    "substitution": [("x=$(w sh -c 'echo in; exit 6'); echo $? $x\n", PROMPT)],
    "exec": [("(exec w sh -c 'exit 6')\n", PROMPT)],
    "and, or": [("w true && w false || echo or\n", PROMPT)],
    "pipestatus": [("w false | w true | w sh -c 'exit 3'; echo ${PIPESTATUS[*]}\n", PROMPT)],
    "broken pipe": [("w yes | head -n 1; echo ${PIPESTATUS[0]}\n", PROMPT)],
    "interactive bash inside": [
        ("PS1='i''n> ' w bash --norc --noprofile -i\n", "in> "),
        ("exit 3\n", PROMPT),
    ],
    "type-ahead": [("w sleep 0.3\necho ahead\n", "ahead\r"), ("", PROMPT), ("\n", PROMPT)],
    "foreground job": [("w sh -c 'test $(ps -o tpgid= -p $$) = $(ps -o pgid= -p $$) && echo fg'\n", PROMPT)],
    "terminal left raw": [("w stty -echo -icanon; stty sane\n", PROMPT)],
    "menu": [
        ("w bash -c 'select x in a b; do echo chose $x; break; done'\n", "#? "),
        ("2\n", "chose b"),
        ("", PROMPT),
    ],
}

FILES = {
    "goes.py": "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\n",
    "stands.py": STANDS,
    "up.sh": f"{UP}\necho not reached\n",
    "up0.sh": "echo U''P\nsleep 0\nexit 4\n",
    "ask.sh": "printf name: >/dev/tty\nread x </dev/tty\necho hi $x\n",
    "trapint.sh": "trap 'echo once; read x; exit 9' INT\ntrap 'exit 8' TERM\necho U''P\n"
    "while :; do sleep 0.05; done\n",
    "calls.sh": f"w {UP}\necho not reached\n",
    "winch.sh": "trap 'trap  WINCH; stty size; exit' WINCH\necho U''P\nwhile :; do sleep 0.05; done\n",
}
BARE = '#!/bin/sh\nexec "$@"\n'
WRAPPED = f'#!/bin/sh\nexec {PYTHON} -I -m agent wrap --no-input -- "$@" 2>&3 3>&-\n'


def play(place: Path, w: str, steps: list[tuple[str, str]]) -> str:
    (place / "bin").mkdir(parents=True)
    (place / "bin/w").write_text(w)
    (place / "bin/w").chmod(0o755)
    for name, text in FILES.items():
        (place / name).write_text(text)
    environment = environ.covered(place, ROLLCALL_STATE_DIR=str(place / "state"))
    environment["PATH"] = f"{place}/bin:{environment['PATH']}"
    with Shell(environment, str(place)) as shell:
        for typed, shown in [*steps, STATUS, ("jobs\n", PROMPT)]:
            if typed == GO:
                (place / "go").touch()
            elif typed.startswith("resize "):
                rows, columns = typed.split()[1:]
                shell.resize(int(rows), int(columns))
            else:
                shell.type(typed)
                if typed.endswith("\n") and len(typed) > 1 and shown == PROMPT:
                    shell.expect(typed.splitlines()[0][-6:] if "geheim" not in typed else "\n")
            shell.expect(shown)
        return without_notice(shell.transcript.replace(str(place), "PLACE"))


def without_notice(text: str) -> str:
    """One of a job in the background may come right after a prompt."""
    return re.sub(r"rollcall: [^\n]* reports this installation's outcome[^\n]*\n", "", text)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_person_cannot_tell(tmp_path: Path, name: str) -> None:
    wrapped = WRAPPED.replace(" 2>&3 3>&-", "")
    (tmp_path / "wrapped/state").mkdir(parents=True)
    told_before(tmp_path / "wrapped/state")
    with ThreadPoolExecutor() as both:
        bare = both.submit(play, tmp_path / "bare", BARE, SCENARIOS[name])
        assert play(tmp_path / "wrapped", wrapped, SCENARIOS[name]) == bare.result()


def test_the_terminal_comparison_would_notice(tmp_path: Path) -> None:
    other = '#!/bin/sh\n"$@"\nexit 1\n'
    assert play(tmp_path / "a", BARE, SCENARIOS["true"]) != play(tmp_path / "b", other, SCENARIOS["true"])
