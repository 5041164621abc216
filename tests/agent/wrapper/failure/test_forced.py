# ruff: noqa: E501 - a script is easier to read on one line
"""Nothing shows, whichever method is used: scripts that look at what a trace touches."""

from pathlib import Path

import pytest

from agent.wrapper.failure import rules, trace
from agent.wrapper.process.caller import Environment
from tests import bashes
from tests.agent.wrapper.failure.forced import METHODS, Stage
from tests.conftest import missing

ONCE_IT_WAITS = "until ps -o stat= -p $$ | grep -q S; do sleep 0.01; done"
"""In a copy of a script in the background: until the script itself waits."""

LOOKS = {
    "last argument": 'echo "$_"\necho a b\necho "$_"\nfalse z\necho "$_"\nx=5\necho "$_"',
    "status": "echo $?\nfalse\necho $?\n(exit 7)\necho $?\n! true\necho $?",
    "pipestatus": "true | false | (exit 3)\necho ${PIPESTATUS[@]}\nfalse\necho ${PIPESTATUS[@]} $?",
    "line": "f() {\n  echo $LINENO ${BASH_LINENO[@]} ${FUNCNAME[@]} ${BASH_SOURCE[@]}\n}\nf\necho $LINENO $BASH_SUBSHELL",
    "caller": "f() { caller 0; caller 1; }\ng() { f; }\ng",
    "command in a trap": "trap 'echo $BASH_COMMAND $?' EXIT\nset -e\nfalse a",
    "exit trap": "trap 'echo bye $? $_; false; (exit 3)' EXIT\nset -e\nls /nonexistent 2>/dev/null",
    "signal traps": "trap 'echo usr1 $?' USR1\nkill -USR1 $$\necho a\ntrap 'echo term; exit 5' TERM\nkill $$\nsleep 9",
    "wait for a signal": f"trap 'echo usr1' USR1\nsleep 9 &\np=$!\n({ONCE_IT_WAITS}; kill -USR1 $$) &\nwait $p\necho $?\nkill $p\nwait $p 2>/dev/null\necho $?",
    "killed": "kill -KILL $$",
    "terminated": "kill -TERM $$\nsleep 9",
    "interrupted": "kill -INT $$\nsleep 9",
    "descriptors of a child": "ls -l /proc/self/fd | sed 's/.* //; s/[0-9][0-9]*/N/g'\nls /proc/self/fd",
    "descriptors of a deep child": "x=$(ls /proc/self/fd)\necho $x\n(ls /proc/self/fd | cat)\nsh -c 'ls /proc/$$/fd'",
    "descriptors of one in the background": "(sh -c 'ls /proc/$$/fd'; :) &\nwait\ncat <(sh -c 'ls /proc/$$/fd')",
    "environment": "env | grep -v '^_='\nexport A=1\nset -a\nB=2\nenv | grep -v '^_='\nset +a",
    "environment of a bash": "bash -c 'declare -p | grep -cE \"rollcall|XTRACEFD\"; trap -p; echo $-'",
    "signals of a child": "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status\nsh -c 'exec grep -E \"Sig(Blk|Ign|Cgt)\" /proc/self/status'",
    "job control": "mkfifo go\nset -m\ncat go &\njobs | sed 's/[0-9][0-9]*//g'\n: >go\nwait %1\necho $?\nfalse &\nwait $!\necho $?",
    "background": "false &\nwait $!\necho $?\nsleep 0.01 &\nwait -n\necho $?\nwait\necho $?",
    "coproc": "coproc cat\necho a >&${COPROC[1]}\nread -r x <&${COPROC[0]}\necho $x ${#COPROC[@]}",
    "lastpipe": "shopt -s lastpipe\necho a | read -r x\necho $x\nprintf '1\\n2\\n' | while read -r y; do z=$y; done\necho $z",
    "process substitution": "cat <(echo a; false)\nx=$(echo b > >(cat))\necho $x\nwhile read -r x; do echo $x; done < <(seq 3)",
    "here documents": "cat <<E\n$(echo a) $_\nE\nread -r x <<<b\necho $x",
    "errexit": "set -e\nf() { false; echo in; }\nf || echo caught\nif f; then echo yes; fi\n! f\nx=$(f)\necho no",
    "errexit in a function": "set -e\nf() { false; echo no; }\nf\necho no",
    "errexit in a subshell": "set -e\n(false; echo no)\necho no",
    "inherit_errexit": "set -e\nshopt -s inherit_errexit\nx=$(false; echo no)\necho no",
    "pipefail": "set -eo pipefail\nfalse | true\necho no",
    "nounset": "set -u\necho a\necho $nope\necho no",
    "nounset in a function": "set -u\nf() { echo ${1}; }\nf a\nf",
    "required": "echo a\n: ${nope?is required}\necho no",
    "empty IFS": "IFS=\nset -e\necho a\nfalse | true\n(exit 3)",
    "odd IFS": "IFS=$'0123456789/\\n\\t'\nset -eu\nx='a b'\necho $x\nfalse",
    "eval": "eval 'echo a; false'\necho $?\neval 'x=5; echo $x'",
    "sourced": "echo 'echo $_ $? ${BASH_SOURCE[0]##*/} $LINENO; return 3' >lib\n. ./lib\necho $?",
    "positional": 'echo $# "$1"\nset -- a b\necho $# $2\nshift\necho $1\nf() { echo $#; }\nf x y',
    "getopts": "set -- -a -b c\nwhile getopts ab: o; do echo $o $OPTARG $OPTIND; done",
    "arithmetic": "((0))\necho $?\nlet x=0\necho $? $x\nfor ((i = 0; i < 3; i++)); do echo $i; done",
    "tests": "[[ a == b ]]\necho $?\n[ a = a ]\necho $?\ncase x in y) ;; x) echo x ;; esac\necho $?",
    "loops": "for i in 1 2; do false; continue; done\nwhile read -r x; do echo $x; break; done <<<a\nuntil true; do :; done\necho $?",
    "select": "select x in a b; do echo $x; break; done <<<1",
    "time": "TIMEFORMAT=t\ntime true\ntime false\necho $?",
    "random": "RANDOM=5\necho $RANDOM $RANDOM\nfalse\necho $RANDOM",
    "functions": "declare -F\ncompgen -A function\ntype -t f || echo none\nf() { :; }\ndeclare -F f",
    "local": "f() { local x=$(false) y; echo $? $x; local -r z=1; }\nf\nexport q=$(false)\necho $?",
    "nameref": "f() { local -n r=$1; r=5; }\nf v\necho $v",
    "arrays": "a=(1 2 3)\na[5]=6\necho ${!a[@]} ${#a[@]}\ndeclare -A m=([x]=1)\necho ${m[x]}",
    "globbing": "shopt -s nullglob\necho *.none\nset -f\necho *\nset -C\necho a >f\necho b >f\necho $?",
    "closed": "exec 2>&-\nfalse\nls /nonexistent\nexec 1>&-\necho a",
    "logged": "exec > >(cat) 2>&1\necho a\nfalse\nls /nonexistent\n:",
    "descriptors by number": "exec 3>own 9<&0 200>lock\necho a >&3\nls /proc/self/fd\nexec 3>&-\ncat own",
    "not found": "nosuchcommand a\necho $?\n./nosuch\necho $?\ncommand_not_found_handle() { echo none $1; return 5; }\nnosuch\necho $?",
    "exec": "exec sh -c 'ls /proc/$$/fd; echo $1' x y",
    "exec fails": "exec /nonexistent\necho no",
    "exit in a function": "f() { exit 7; }\nf\necho no",
    "return": "f() { return 7; }\nf\necho $?\nf | cat\necho $? ${PIPESTATUS[@]}",
    "many commands": "for ((i = 0; i < 6000; i++)); do [ $i = -1 ]; done\necho $_ $? $i\nfalse a\necho $_ ${PIPESTATUS[@]}\nwait\necho $?",
    "many commands in functions": "f() { x=$1; false; }\nfor ((i = 0; i < 6000; i++)); do f $i; done\necho $_ $? $x",
    "syntax error": "echo a\nif\n",
    "utf-8": "LC_ALL=C.UTF-8\nx='ä €'\necho ${#x} $x\nfalse ü",
    "control characters": 'x=$\'\\1\\2\\6\\n\'\necho "$x"\ncase $x in *) false ;; esac\necho "$_"',
}


def keeps_out(text: str, method: str, base: Path) -> bool:
    path = base / "asked.sh"
    path.write_text(text)
    found = trace.choose([b"bash", bytes(path)], Environment([b"PATH=/usr/bin:/bin"])).found
    return any(method in finding.rule.excludes for finding in found)


@pytest.mark.parametrize("name", LOOKS)
def test_a_script_sees_none_of_the_methods(tmp_path: Path, name: str) -> None:
    compare(Stage(tmp_path), LOOKS[name] + "\n")


@pytest.mark.once
@pytest.mark.needs("bashes")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", bashes.VERSIONS)
def test_it_sees_none_of_them_with_other_versions_of_bash(tmp_path: Path, version: str) -> None:
    stage = Stage(tmp_path, bashes.find(version) or missing("bashes", f"no bash {version}"))
    for text in LOOKS.values():
        compare(stage, text + "\n")


def compare(stage: Stage, text: str) -> None:
    bare = stage.bare(text)
    for method in METHODS:
        if not keeps_out(text, method, stage.base):
            assert stage.forced(method, text) == bare, (method, text)


LIBRARY = """echo lib "$_" $? $LINENO $- ${!__rollcall*} ${BASH_XTRACEFD-none} "$PS4" "$*"
declare -p | grep -c rollcall
(exit 3)
"""
SOURCING = (
    'x=./lib\n. $x a b\necho $? "$_"\nfalse z\necho $? "$_" ${PIPESTATUS[@]}\n',
    'f() {\n  true\n  . "$PWD/lib"\n  echo f $? "$_" $LINENO\n}\nf q\necho $? "$_"\n',
    "trap 'echo exit $? $LINENO' EXIT\nset -e\nx=lib\nfor i in 1 2 3; do . ./$x; done\ncat /nonexistent\n",
    "sleep 0.05 &\nx=lib\n. ./$x\nwait $!\necho $?\nwait\necho $?\nread -r y <<<abc\necho $y\n",
    "while read -r l; do x=./lib; . $x; echo $l; done < <(seq 3)\necho done\n",
    'if . $PWD/lib; then echo yes; fi\n. $PWD/lib || echo no\n. $PWD/lib && echo and "$_"\n',
    "x=./lib\nset -a\n. $x\nset +a\nenv | grep ^PS4 || echo none\n",
    'set -eu\ng() { eval "$(printf "echo hi $%s" -)"; }\ng w\necho $LINENO\nfalse\n',
)
"""Scripts that read what is not known before."""


@pytest.mark.parametrize("text", SOURCING)
def test_xtrace_makes_way_for_what_is_not_known_on_whatever_line(tmp_path: Path, text: str) -> None:
    found = [version for version in bashes.VERSIONS if bashes.find(version)]
    for bash in ("bash", *(bashes.find(version) or "" for version in found)):
        stage = Stage(tmp_path, bash)
        for above in range(12):  # the trap that ends xtrace has lines of its own
            script = "\n" * above + text
            assert stage.forced("xtrace", script, lib=LIBRARY) == stage.bare(script, lib=LIBRARY), (
                bash,
                above,
            )


def test_most_scripts_are_kept_from_no_method(tmp_path: Path) -> None:
    """Else the test above would compare nothing."""
    for method in rules.LADDER:
        kept = [name for name, text in LOOKS.items() if keeps_out(text, method, tmp_path)]
        assert len(kept) < len(LOOKS) / 4, (method, kept)
