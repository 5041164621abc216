"""Where a bash script failed: the exact line, that of the call, or none; and nothing shows.

In a failing script the line that is to be reported bears the mark `#!`; where none does, no line
may be reported. The rest of the expectation is the command.
"""

import pytest

from tests.e2e.wrap.side_by_side import Sides

NONE = None
WAITS = "until grep -q sleeping /proc/$$/status; do sleep 0.01; done"  # until the script waits for who asks
FAILING: dict[str, tuple[str, str | None]] = {
    "a program": ("set -e\ntrue\nfalse #!\necho no", "false"),
    "by path": ("set -e\n\n/bin/false #!", "false"),
    "with an assignment": ("set -e\nPGPASSWORD=x grep z /dev/null #!", "grep"),
    "with a quoted assignment": ("set -e\nA='b c' B=\"d e\" grep z /dev/null #!", "grep"),
    "with arguments that tell": ("set -e\ngrep --password=secret /dev/null #!", "grep"),
    "not found": ("set -e\ntrue\nnosuchcommand a b 2>/dev/null #!", "nosuchcommand"),
    "in a variable": ("set -e\nc=false\n$c #!", "false"),
    "continued lines": ("set -e\ngrep #!\\\n  z \\\n  /dev/null\n", "grep"),
    "in if": ("set -e\nif true; then\n  false #!\nfi", "false"),
    "in else": ("set -e\nif false; then :; else\n  grep z /dev/null #!\nfi", "grep"),
    "in for": ("set -e\nfor i in 1 2; do\n  test $i = 3 #!\ndone", "test"),
    "in while": ("set -e\nwhile true; do\n  false #!\ndone", "false"),
    "in case": ("set -e\ncase a in\n  a) false ;; #!\nesac", "false"),
    "in braces": ("set -e\n{\n  true\n  false #!\n}", "false"),
    "after &&": ("set -e\ntrue && false #!", "false"),
    "last in a pipeline": ("set -e\ntrue | false #!", "false"),
    "first in a pipeline": ("set -eo pipefail\nfalse | cat #!", "false"),
    "a condition": ("set -e\n[[ a = b ]] #!", NONE),
    "arithmetic": ("set -e\n((0)) #!", NONE),
    "one-line substitution": ("set -e\nx=$(false) #!", "false"),
    "long substitution": ("set -e\nx=$( #!\nfalse\n)\n", "false"),
    "subshell": ("set -e\n(\ntrue\nfalse #!\n)\n", "false"),
    "in a function": ("set -e\nf() {\n  true\n  false #!\n}\ntrue\nf", "false"),
    "in a function's function": ("set -e\nf() {\n  g\n}\ng() {\n  false #!\n}\nf", "false"),
    "die": ("die() {\n  echo dying\n  exit 1\n}\ntrue\ndie 'for good' #!", NONE),
    "die after ||": ("die() { exit 3; }\ngrep z /dev/null || die 'no z' #!", NONE),
    "die in if": ("die() { exit 3; }\nif ! grep z /dev/null; then\n  die #!\nfi", NONE),
    "die in a function": ("die() { exit 3; }\nf() {\n  die #!\n}\nf", NONE),
    "exit": ("true\n\nexit 7 #!\n", NONE),
    "exit in if": ("if true; then\n  exit 7 #!\nfi", NONE),
    "one of two exits": ("if false; then exit 7; fi\nexit 7 #!", NONE),
    "exit like a here-document's": ("cat >/dev/null <<EOF\nexit 5\nEOF\nexit 5 #!", NONE),
    "set -u": ("set -u\n\necho $nope\n", NONE),
    "set -u in a function": ("set -u\nf() {\n  echo $nope\n}\nf", NONE),
    "the last command": ("true\ngrep z /dev/null #!", "grep"),
    "own exit trap": ("set -e\ntrap 'echo bye' EXIT\ntrue\nfalse #!", "false"),
    "own exit trap that exits": ("set -e\ntrap 'exit 9' EXIT\nfalse #!", "false"),
    "own err trap": ("set -e\ntrap 'echo err' ERR\nfalse #!", "false"),
    "errors before that do not count": ("false\ngrep z /dev/null\ntrue\nexit 2 #!", NONE),
    "an error that was caught": ("set -e\nfalse || true\nif false; then :; fi\nexit 4 #!", NONE),
    "exec fails": ("true\nexec /nonexistent 2>/dev/null #!", "nonexistent"),
    "syntax": ("true\nif\n", NONE),
    "a sourced file is missing": ("set -e\n. ./nosuch 2>/dev/null #!\n", NONE),
    "${x?}": ("true\n: ${x?gone}", NONE),
}


def place_of(sides: Sides) -> dict[str, object]:
    (found,) = places(sides)
    return found


def places(sides: Sides) -> list[dict[str, object]]:
    """What was reported of every failure, in the order of the runs."""
    ends = [event for event in sides.events() if event["event"] == "Installation Errors"]
    found = [end["properties"] for end in sorted(ends, key=lambda end: str(end["timestamp"]))]
    return [properties for properties in found if isinstance(properties, dict)]


def test_every_failure_is_placed(covered: Sides) -> None:
    """All of them before one look at what was reported: two processes a script are saved."""
    expected = {}
    for name, (script, command) in FAILING.items():
        lines = script.split("\n")
        exact = [number for number, line in enumerate(lines, 1) if "#!" in line]
        files = {"install.sh": ("\n".join(line.replace("#!", "") for line in lines) + "\n").encode()}
        bare = covered.bare(["bash", "install.sh"], files=files)
        assert covered.wrapped(["bash", "install.sh"], files=files) == bare, name
        assert bare.code != 0, name
        expected[name] = (exact[0] if exact else None, command, "install.sh")
    found = {
        name: (place.get("line"), place.get("command"), place.get("script", "install.sh"))
        for name, place in zip(FAILING, places(covered), strict=True)
    }
    assert found == expected


def test_a_script_from_a_pipe_is_placed(sides: Sides) -> None:
    ending = sides.wrapped(["bash"], input=b"set -e\ntrue\ngrep z /dev/null\necho no\n")
    assert (ending.code, ending.out) == (1, b"")
    properties = place_of(sides)
    assert (properties["line"], properties["command"], properties.get("script")) == (3, "grep", None)


def test_a_sourced_file_is_named(sides: Sides) -> None:
    files = {"install.sh": b"#!/usr/bin/env bash\nset -e\n. ./lib.sh\n", "lib.sh": b"\n\n\nfalse\n"}
    sides.wrapped(["./install.sh"], files=files)
    properties = place_of(sides)
    assert (properties["line"], properties["script"]) == (4, "lib.sh")


SHOWS_NOT = {
    "success": "echo fine",
    "errexit": "set -e; echo $-; true",
    "flags": "echo $-",
    "last argument": 'echo "$_"',
    "status": "echo $?; false; echo $?",
    "functions": "declare -F; alias",
    "options": "shopt; set -o",
    "stack": "echo ${BASH_SOURCE[@]} ${FUNCNAME[@]} ${BASH_LINENO[@]} $LINENO $BASH_SUBSHELL",
    "pipestatus": "true | false | true; echo ${PIPESTATUS[@]}",
    "traps": "trap -p; trap",
    "trap on exit": "trap 'echo bye $?' EXIT; exit 3",
    "trap on err": "trap 'echo err $LINENO' ERR; false; echo on",
    "trap on return": "trap 'echo ret' RETURN; f() { :; }; f",
    "trap on debug": "trap 'echo debug' DEBUG; true",
    "trap reset": "trap 'echo x' EXIT; trap - EXIT; exit 2",
    "errtrace": "set -E; trap 'echo err' ERR; f() { false; true; }; f",
    "functrace": "set -T; f() { false; }; f; trap -p",
    "xtrace": "set -x; false; echo a; exit 3",
    "xtrace elsewhere": "exec 5>trace; BASH_XTRACEFD=5; set -x; false; exit 3",
    "verbose": "set -v\necho a\nfalse",
    "posix": "set -o posix; false; echo a",
    "environment": "true; env",
    "variables": "declare -p | grep -vE 'RANDOM|SECONDS|EPOCH|BASHPID|PPID'",
    "set": "set | grep -vE '^(RANDOM|SRANDOM|SECONDS|EPOCH|BASHPID|PPID)'",
    "nested bash": "bash -c 'false; trap -p; echo $BASH_ENV'; ./b; false",
    "subshell": "(set -e; false; echo no); echo $?",
    "substitution": "x=$(false; echo y); echo $x $?",
    "background": "false & wait $!; echo $?",
    "wait": "sleep 0.01 & wait; echo $?",
    "coproc": "coproc cat; echo a >&${COPROC[1]}; read -r x <&${COPROC[0]}; echo $x",
    "process substitution": "cat <(false; echo x)",
    "signals": f"sh -c \"{WAITS}; grep -E 'Sig(Ign|Cgt)' /proc/$$/status\"",
    "signals of a child": "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status",
    "descriptors": f'sh -c "{WAITS}; ls /proc/$$/fd"',
    "killed by itself": "kill -TERM $$; sleep 5",
    "interrupted by itself": "kill -INT $$; sleep 5",
    "killed child": "sleep 9 & kill $!; wait $! 2>/dev/null; echo $?",
    "exec": "exec echo replaced",
    "exec bash": "exec bash -c 'trap -p; echo $- $BASH_ENV'",
    "loop of failures": "for i in 1 2 3; do false; test $i = 9; done; true",
    "unset": "unset -v BASH_VERSION; false; true",
    "command not found": "nosuchcommand; true",
    "cleanup on TERM": "trap 'echo clean' EXIT; kill -TERM $$; sleep 5",
    "big": "for i in {1..2000}; do :; done; echo $i",
}


@pytest.mark.parametrize("name", SHOWS_NOT)
def test_a_script_does_not_see_the_trace(sides: Sides, name: str) -> None:
    text = f"#!/usr/bin/env bash\n{SHOWS_NOT[name]}\n".encode()
    files = {"install.sh": text, "b": b"#!/usr/bin/env bash\ntrap -p; echo ${BASH_ENV-none}; false\n"}
    bare = sides.bare(["./install.sh", "an argument"], files=files)
    assert sides.wrapped(["./install.sh", "an argument"], files=files) == bare
    assert sides.wrapped(["./install.sh", "an argument"], "--no-trace", files=files) == bare


@pytest.mark.parametrize("own", [b"echo own $-; trap 'echo own trap' EXIT\n", b"false\n", b"x=5\n"])
def test_the_users_own_bash_env_is_read(sides: Sides, own: bytes) -> None:
    path = sides.base / "own"
    path.write_bytes(own)
    env = sides.environment(BASH_ENV=str(path))
    files = {"install.sh": b"#!/usr/bin/env bash\necho $x $BASH_ENV; bash -c 'echo $BASH_ENV'; exit 3\n"}
    bare = sides.bare(["./install.sh"], files=files, env=env)
    assert sides.wrapped(["./install.sh"], files=files, env=env) == bare


LEFT_OFF = [
    ["bash", "-c", "echo ${BASH_ENV-none}; set -e; false"],
    ["bash", "--posix", "install.sh"],
    ["bash", "-x", "install.sh"],
    ["bash", "-v", "install.sh"],
    ["bash", "-r", "install.sh"],
    ["bash", "-p", "install.sh"],
    ["sh", "install.sh"],
    ["dash", "install.sh"],
]


@pytest.mark.parametrize("argv", LEFT_OFF, ids=" ".join)
def test_it_is_left_off_where_it_would_show(sides: Sides, argv: list[str]) -> None:
    files = {"install.sh": b"set -e\ntrap\nfalse\n"}
    assert sides.wrapped(argv, files=files) == sides.bare(argv, files=files)
    assert "line" not in place_of(sides)
