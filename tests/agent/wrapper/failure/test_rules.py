"""Every rule has a script that would notice the method that the rule keeps out."""

from pathlib import Path

import pytest

from agent.wrapper.failure import rules, signs, trace
from agent.wrapper.failure.looks import Look
from agent.wrapper.process.caller import Environment
from tests.agent.wrapper.failure.forced import Stage

ENVIRONMENT = Environment([b"PATH=/usr/bin:/bin"])
NOTICING = {
    "unreadable": ("xtrace", "x=$(cat <<E\nE)\necho $- 2>/dev/null\n"),
    "unknown-source": ("traps", "x=./lib.sh\necho 'echo $-' >$x\n. $x\n"),
    "computed-eval": ("traps", "eval \"$(printf 'echo $%s' -)\"\n"),
    "unknown-in-subshell": ("xtrace", "x=./lib.sh\necho 'echo $-' >$x\n(. $x)\n"),
    "alias": ("xtrace", "shopt -s expand_aliases\nalias on='set -x'\non\ntrue\n"),
    "replaced-builtin": ("error", "printf() { calls=1; }\ntrap 'echo calls $calls' EXIT\nset -e\nfalse\n"),
    "own-name": ("xtrace", "echo ${__rollcall-unset}\n"),
    "lists-traps": ("error", "trap -p\n"),
    "own-debug-trap": ("xtrace", "trap 'echo debug' DEBUG\nfalse\n"),
    "own-return-trap": ("traps", "trap 'echo return' RETURN\nf() { :; }\nf\n"),
    "own-err-trap": (
        "traps",
        "f() { false; true; }\ntrap 'echo err' ERR\nf\n",
    ),
    "lists-variables": ("xtrace", "declare -p | grep -c rollcall\n"),
    "lists-options": ("xtrace", "echo $-\n"),
    "restores-options": ("xtrace", "x='+x +E'\nset $x\necho a\nset -- ${x/+x/-x}\nset $1\necho b\n"),
    "own-xtrace": ("xtrace", "set -x\necho a\n"),
    "xtrace-elsewhere": ("traps", "exec 5>own\nBASH_XTRACEFD=5\nset -x\nfalse\n"),
    "own-signal": ("xtrace", "trap 'echo urg' URG\nfor ((i = 0; i < 20000; i++)); do :; done\n"),
    "looks-at-itself": ("xtrace", "x=(/proc/$$/fd/*)\necho ${#x[@]}\n"),
    "computed-descriptor": ("xtrace", 'for ((n = 200; n < 256; n++)); do eval "exec $n>&-"; done\necho a\n'),
    "limits-files": ("xtrace", "ulimit -f 1\nfor ((i = 0; i < 30; i++)); do : $PWD$PWD$PWD; done\necho a\n"),
    "pid-of-substitution": (
        "xtrace",
        (
            "cat <(sleep 4 2>&-) >/dev/null 2>&1 &\n: <(sleep 4 2>&-)\n"
            'for i in {1..20}; do [ "$(ps -o comm= -p $!)" = bash ] || break; sleep 0.02; done\n'
            "ps -o comm= -p $!\nkill $!\n"
        ),
    ),
    "special-mode": ("error", "set -v\ntrue\nset -o posix\nfalse\n"),
}
"""For each rule a method that it keeps out, and a script that would differ with it."""


def test_every_rule_has_its_script() -> None:
    assert sorted(NOTICING) == sorted(rule.name for rule in rules.RULES)


@pytest.mark.parametrize("name", NOTICING)
def test_a_script_would_notice_without_the_rule(tmp_path: Path, name: str) -> None:
    method, text = NOTICING[name]
    stage = Stage(tmp_path)
    bare = stage.bare(text)
    assert stage.forced(method, text) != bare
    chosen = _choice(tmp_path, text)
    assert name in {finding.rule.name for finding in chosen.found}
    assert method != chosen.method
    if chosen.method != "none":
        assert stage.forced(chosen.method, text) == bare


def test_an_eval_that_begins_with_no_variable_makes_no_commands_of_other_words(tmp_path: Path) -> None:
    """Else `--how=set` would be a command that lists variables, and many evals would take minutes."""
    text = 'bar --how=set\neval "foo $y"\n'
    assert _choice(tmp_path, text).found == []
    assert _choice(tmp_path, text).method == "xtrace"
    assert len(Look(b"install.sh", text.encode() * 100).commands) == 300  # `foo $y` is one too


def test_a_variable_that_many_evals_begin_with_is_read_once() -> None:
    text = "".join(f'cmd="foo {number}"\neval "$cmd"\n' for number in range(100)).encode()
    assert len(Look(b"install.sh", text).commands) == 400  # in the text 300, and one of each value


def test_a_computed_eval_in_a_variable_is_known_at_each_eval_of_it() -> None:
    look = Look(b"install.sh", b'cmd=\'eval $(x)\'\neval "$cmd"\n(eval "$cmd")\neval "$cmd"\n')
    assert sorted({command.line for command in signs.stops(look)}) == [2, 3, 4]
    assert signs.unknown_inside(look) == [3]


def _choice(base: Path, text: str) -> trace.Choice:
    path = base / "install.sh"
    path.write_text(text)
    return trace.choose([b"bash", bytes(path)], ENVIRONMENT)
