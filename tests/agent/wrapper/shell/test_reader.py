"""Commands, words and functions of a text; bash itself says what is well-formed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wrapper.shell.reader import read
from agent.wrapper.shell.syntax import Case, Function, If, Loop

ROOT = Path(__file__).parents[4]


def said(text: str) -> list[tuple[int, list[str | None]]]:
    """Each command's line, and its words as far as they are known."""
    script = read(text.encode())
    assert script.odd is None, text
    return [
        (c.line, [None if w.value is None else w.value.decode() for w in c.words]) for c in script.commands
    ]


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("echo a 'b c' \"d\" e\\ f\n", [(1, ["echo", "a", "b c", "d", "e f"])]),
        ("# set -x\necho 'set -x' # set -x\n", [(2, ["echo", "set -x"])]),
        ("x=1 y=$z psql -c 'a'\n", [(1, ["x=1", None, "psql", "-c", "a"])]),
        ("a \\\n  b\nc\n", [(1, ["a", "b"]), (3, ["c"])]),
        ("cat <<E\nset -x\nE\necho\n", [(1, ["cat"]), (4, ["echo"])]),
        ("cat <<E\n$(pwd)\nE\n", [(1, ["cat"]), (2, ["pwd"])]),
        ("cat <<-'E'\n\t$(pwd)\n\tE\necho\n", [(1, ["cat"]), (4, ["echo"])]),
        ("if a; then b; elif c; then d; else e; fi\n", [(1, [w]) for w in "abcde"]),
        (
            "case $x in a|b) c ;; (d) e ;& *) f ;; esac\n",
            [(1, ["case", None]), *[(1, [w]) for w in "cef"]],
        ),
        ("for x in 1 2; do a; done\n", [(1, ["for", "x", "in", "1", "2"]), (1, ["a"])]),
        ("for ((i = 0; i < 3; i++)); do a; done\n", [(1, ["for", None]), (1, ["a"])]),
        ("[[ a == b && c ]] && ((x + 1))\n", [(1, ["[[", None]), (1, ["((", None])]),
        ("x=$(a | b; c `d`)\n", [(1, ["a"]), (1, ["b"]), (1, ["d"]), (1, ["c", None]), (1, [None])]),
        ("a=(1 'b c' $(d))\n", [(1, ["d"]), (1, [None])]),
        ('echo "${x:-$(a "b")}"\n', [(1, ["a", "b"]), (1, ["echo", None])]),
        ("{ a; } 2>/dev/null | (b)\n", [(1, ["a"]), (1, []), (1, ["b"])]),
        ("a &>/dev/null || b\n", [(1, ["a"]), (1, ["b"])]),
        ("a <(b) >(c)\n", [(1, ["b"]), (1, ["c"]), (1, ["a", None, None])]),
        ("coproc X { a; }\n", [(1, ["a"])]),
        ("time ! a\n", [(1, ["a"])]),
        ('echo "a\\"b\\$c" "a\\\nb" "a $"\nc\n', [(1, ["echo", 'a"b$c', "ab", "a $"]), (3, ["c"])]),
        ("echo $\"a b\" $'c' $'d\\'e' f\n", [(1, ["echo", "a b", "c", None, "f"])]),
        ('"a"b\\\nc\nd\n', [(1, ["abc"]), (3, ["d"])]),
        ("cat <<E\na\\$b `c`\nE\n", [(1, ["cat"]), (2, ["c"])]),
        ("cat <<A <<B\n1\nA\n2\nB\nc\n", [(1, ["cat"]), (6, ["c"])]),
        ("((x = (1 + 2) * 3 # 1))\n", [(1, ["((", None])]),
        ("((a) | b)\n", [(1, ["a"]), (1, ["b"])]),
        ("echo $((1 + (2)))\n", [(1, ["echo", None])]),
        ("echo $((a); b)\n", [(1, ["a"]), (1, ["b"]), (1, ["echo", None])]),
        ("[[ -v x ]] && a\n", [(1, ["[[", None]), (1, ["a"])]),
        ("case x in esac\na\n", [(1, ["case", "x"]), (2, ["a"])]),
        ("case x\nin a) b;; esac\n", [(1, ["case", "x"]), (2, ["b"])]),
        ("case x\nin esac\nb\n", [(1, ["case", "x"]), (3, ["b"])]),
        ("case x in a) ;;& b) c;; esac\n", [(1, ["case", "x"]), (1, ["c"])]),
        ("coproc a b\nc\n", [(1, ["a", "b"]), (2, ["c"])]),
        ("function f() { a; }\n", [(1, ["a"])]),
        ("x[1]=2 y[$z]=3 a\n", [(1, [None, None, "a"])]),
        ("a=(<(b) c)\n", [(1, ["b"]), (1, [None])]),
        ("cat < <(a)b x=<(c)\n", [(1, ["a"]), (1, ["c"]), (1, ["cat", None])]),
        ("exec {fd}>x 3<&1 {y}>&-\n", [(1, ["exec"])]),
        ("echo `{ a; } >x` b\n", [(1, ["a"]), (1, []), (1, ["echo", None, "b"])]),
        ("a `b \\`c\\``\n", [(1, ["c"]), (1, ["b", None]), (1, ["a", None])]),
        ('a "`b \\"c\\"`"\n', [(1, ["b", "c"]), (1, ["a", None])]),
        ('a "${b:-it\'s}" "${b%\'$(c)\'}"\nd\n', [(1, ["a", None, None]), (2, ["d"])]),
        ("((a)) 2>&1 && [[ b ]] >x\n", [(1, ["((", None]), (1, ["[[", None])]),
        ("for x in +([0-9]).@(a|b); do a; done\n", [(1, ["for", "x", "in", None]), (1, ["a"])]),
        ("for x\nin a\ndo b; done\n", [(1, ["for", "x", "in", "a"]), (3, ["b"])]),
        ("for ((;;)) { a; }\n", [(1, ["for", None]), (1, ["a"])]),
        ("(cat <<E) | a\n$(b)\nE\nc\n", [(1, ["cat"]), (1, ["a"]), (2, ["b"]), (4, ["c"])]),
        ("time -p a\n", [(1, ["a"])]),
        ('cat <<E\n"$(b)"\n', [(1, ["cat"]), (2, ["b"])]),
    ],
)
def test_commands_stand_where_bash_sees_them(text: str, commands: list[tuple[int, list[str | None]]]) -> None:
    assert said(text) == commands


def test_a_function_knows_its_lines_and_what_it_ends_with() -> None:
    text = b"die() {\n  echo\n  exit 1\n}\nfunction f { if a; then exit; fi; }\n"
    text += b"g() { a && exit; }\nh() ( exit 2 )\n"
    functions = read(text).functions
    ends = {name: (last := function.last()) and last.name() for name, function in functions.items()}
    assert ends == {b"die": b"exit", b"f": None, b"g": None, b"h": None}
    assert (functions[b"die"].line, functions[b"die"].end) == (1, 4)


def test_variables_are_found_wherever_they_are_expanded() -> None:
    text = b"echo $a \"${b}\" ${#c} ${!d*} $((e + $f)) `echo $g` '$h' # $i\n"
    assert set(read(text).variables) == {b"a", b"b", b"c", b"!d", b"e", b"f", b"g"}
    text = b'echo ${x:?no} ${!y} ${#} $! "$?"; [[ -v z && -o errexit ]]; coproc q; w=1\n'
    names = {b"x", b"?}", b"y", b"#", b"!", b"?", b"z", b"errexit", b"COPROC", b"w"}
    assert set(read(text).variables) == names


def test_what_follows_what_is_kept() -> None:
    (chain, later) = read(b"a && ! b | c || d & e").body.chains
    assert [sign for sign, _ in chain.parts] == [b"", b"&&", b"||"]
    assert [len(pipeline.commands) for _, pipeline in chain.parts] == [1, 2, 1]
    assert [pipeline.negated for _, pipeline in chain.parts] == [False, True, False]
    assert (chain.background, later.background) == (True, False)


def test_the_parts_of_compound_commands_are_told_apart() -> None:
    text = b"if a; then b; fi\nuntil x; do c; done >log\ncase x in y) d;; z) ;; esac\nf() { e; }"
    branch, loop, case, function = (chain.parts[0][1].only() for chain in read(text).body.chains)
    assert isinstance(branch, If)
    assert (len(branch.clauses), branch.otherwise) == (1, None)
    assert isinstance(loop, Loop)
    assert loop.until
    assert loop.redirected is not None
    assert isinstance(case, Case)
    assert [len(body.chains) for body in case.bodies] == [1, 0]
    assert isinstance(function, Function)
    assert function.name == b"f"


def test_a_command_knows_what_it_stands_in() -> None:
    text = b"a $(b); (c) | { d; }; e & f() { g; }; h"
    found = {command.name(): command for command in read(text).commands if command.words}
    assert {name for name, command in found.items() if command.inner} == {b"b"}
    assert {name for name, command in found.items() if command.apart} == {b"c", b"d"}
    assert {name for name, command in found.items() if command.background} == {b"e"}
    assert {name for name, command in found.items() if command.function} == {b"g"}


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("a; b", "b"),
        ("a | x; b && y", "b"),
        ("a; if b; then c; fi", "b"),
        ("a; while b; do c; done", "b"),
        ("a; for b in c; do d; done", "for"),
        ("a; (b)", None),
        ("{ a; }; b", None),
        ("a", None),
    ],
)
def test_what_surely_runs_next(text: str, following: str | None) -> None:
    script = read(text.encode())
    found = script.after(script.commands[-1 if text == "a" else 0 if "|" not in text else 1])
    assert (found and (found.name() or b"").decode()) == following


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a; [ b ] 2>&1; x=$(c) `d` ${e:-f}\n", None),
        ("[[ a == b ]]\n", None),
        *(
            (f"\n{text}\n", 2)
            for text in (
                *("((a))", "a &>b", "a |& b", "a $'b'", 'a $"b"', "a {b}>c", "function f { a; }", "coproc a"),
                *("case a in a) b ;& c) ;; esac", "a <(b)", "[[ a || b ]]", "a=(b)", "a <<<b", "echo @(a)"),
                "x=$((a) | b)",
            )
        ),
    ],
)
def test_what_other_shells_read_differently_is_noted(text: str, line: int | None) -> None:
    script = read(text.encode())
    assert (script.odd, script.bashism) == (None, line)


@pytest.mark.parametrize(
    "text",
    [
        *("echo 'a\n", 'echo "a\n', "x=$(a\n", "if a\n", "{ a\n", "a )\n", "fi\n", "(" * 999),
        *("echo $'a\\'\n", "echo ${x\n", "((1 + ", "$(" * 50, "a=(b; c)\n", "a=(b\n", "a ;; b\n"),
        *("for x in a & b\n", "case x in a;b\n", "case x in (a|b)c) d;; esac\n", 'echo `a "`b`"`\n'),
        *("x=`fi`\n", "a > ;\n", "a=( (b) )\n", "function ;\n", "if a; then b; done\n", "{ a; } b\n"),
        *(
            "for x in a b done\n",
            "case x in a) b esac\n",
            "f( ) { a; }; g( b\n",
            "[[ a\n",
            "a `b\n",
            "x=$'a\n",
        ),
    ],
)
def test_a_text_that_ends_in_the_middle_is_odd(text: str) -> None:
    assert read(text.encode()).odd is not None


def test_the_projects_own_scripts_are_read() -> None:
    paths = [*(ROOT / "install").rglob("*.sh"), *(ROOT / "tests" / "agent").rglob("testdata/bash/*.sh")]
    assert len(paths) > 100
    for path in paths:
        if subprocess.run(["bash", "-n", path], capture_output=True, check=False).returncode == 0:
            assert read(path.read_bytes()).odd is None, path


@given(st.text(alphabet="a$(){}[]<>|&;'\"`\\#= \n!x1", max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    read(text.encode())
