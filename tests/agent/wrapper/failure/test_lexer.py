"""Commands, words and functions of a text; bash itself says what is well-formed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wrapper.failure import lexer

ROOT = Path(__file__).parents[4]


def said(text: str) -> list[tuple[int, list[str | None]]]:
    """Each command's line, and its words as far as they are known."""
    script = lexer.read(text.encode())
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
            [(1, ["case", None, "in"]), *[(1, [w]) for w in "cef"]],
        ),
        ("for x in 1 2; do a; done\n", [(1, ["for", "x", "in", "1", "2"]), (1, ["a"])]),
        ("for ((i = 0; i < 3; i++)); do a; done\n", [(1, ["for"]), (1, ["a"])]),
        ("[[ a == b && c ]] && ((x + 1))\n", [(1, ["[[", None]), (1, ["(("])]),
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
        ("((x = (1 + 2) * 3 # 1))\n", [(1, ["(("])]),
        ("((a) | b)\n", [(1, ["a"]), (1, ["b"])]),
        ("echo $((1 + (2)))\n", [(1, ["echo", None])]),
        ("echo $((a); b)\n", [(1, ["a"]), (1, ["b"]), (1, ["echo", None])]),
        ("[[ -v x ]] && a\n", [(1, ["[[", None]), (1, ["a"])]),
        ("case x in esac\na\n", [(1, ["case", "x", "in"]), (2, ["a"])]),
        ("case x\nin a) b;; esac\n", [(1, ["case", "x"]), (2, ["b"])]),
        ("case x\nin esac\nb\n", [(1, ["case", "x"]), (3, ["b"])]),
        ("case x in a) ;;& b) c;; esac\n", [(1, ["case", "x", "in"]), (1, ["c"])]),
        ("coproc a b\nc\n", [(1, ["a", "b"]), (2, ["c"])]),
        ("function f() { a; }\n", [(1, ["a"])]),
        ("x[1]=2 y[$z]=3 a\n", [(1, [None, None, "a"])]),
        ("a=(<(b) c)\n", [(1, ["b"]), (1, [None])]),
        ("cat < <(a)b x=<(c)\n", [(1, ["a"]), (1, ["c"]), (1, ["cat", None])]),
        ("exec {fd}>x 3<&1 {y}>&-\n", [(1, ["exec"])]),
        ("echo `{ a; } >x` b\n", [(1, ["a"]), (1, []), (1, ["echo", None, "b"])]),
    ],
)
def test_commands_stand_where_bash_sees_them(text: str, commands: list[tuple[int, list[str | None]]]) -> None:
    assert said(text) == commands


def test_a_function_knows_its_lines_and_what_it_ends_with() -> None:
    text = b"die() {\n  echo\n  exit 1\n}\nfunction f { if a; then exit; fi; }\n"
    text += b"g() { a && exit; }\nh() ( exit 2 )\n"
    functions = lexer.read(text).functions
    ends = {name: function.last and function.last.name() for name, function in functions.items()}
    assert ends == {b"die": b"exit", b"f": None, b"g": None, b"h": None}
    assert (functions[b"die"].line, functions[b"die"].end) == (1, 4)


def test_variables_are_found_wherever_they_are_expanded() -> None:
    text = b"echo $a \"${b}\" ${#c} ${!d*} $((e + $f)) `echo $g` '$h' # $i\n"
    assert set(lexer.read(text).variables) == {b"a", b"b", b"c", b"!d", b"e", b"f", b"g"}
    text = b'echo ${x:?no} ${!y} ${#} $! "$?"; [[ -v z && -o errexit ]]; coproc q; w=1\n'
    names = {b"x", b"?}", b"y", b"#", b"!", b"?", b"z", b"errexit", b"COPROC", b"w"}
    assert set(lexer.read(text).variables) == names


@pytest.mark.parametrize(
    "text",
    [
        *("echo 'a\n", 'echo "a\n', "x=$(a\n", "if a\n", "{ a\n", "a )\n", "fi\n", "(" * 999),
        *("echo $'a\\'\n", "echo ${x\n", "((1 + ", "[[ a\n", "$(" * 50, "a=(b; c)\n", "a=(b\n", "a ;; b\n"),
        *("for x in a & b\n", "case x in a;b\n", "case x in (a|b)c) d;; esac\n", 'echo `a "`b`"`\n'),
        *("x=`fi`\n", "a > ;\n", "a=( (b) )\n", "function ;\n"),
    ],
)
def test_a_text_that_ends_in_the_middle_is_odd(text: str) -> None:
    assert lexer.read(text.encode()).odd is not None


def test_the_projects_own_scripts_are_read() -> None:
    paths = [*(ROOT / "install").rglob("*.sh"), *(ROOT / "tests" / "agent").rglob("testdata/bash/*.sh")]
    assert len(paths) > 100
    for path in paths:
        if subprocess.run(["bash", "-n", path], capture_output=True, check=False).returncode == 0:
            assert lexer.read(path.read_bytes()).odd is None, path


@given(st.text(alphabet="a$(){}[]<>|&;'\"`\\#= \n!x1", max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    lexer.read(text.encode())
