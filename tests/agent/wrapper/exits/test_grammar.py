"""The commands that are read from a shell script's text, or that the text cannot be read."""

from __future__ import annotations

import pytest

from agent.wrapper.exits.grammar import read
from agent.wrapper.exits.syntax import Case, Function, If, Loop, Simple, commands
from agent.wrapper.exits.words import MAX_DEPTH, CannotRead


def programs(text: str) -> list[str]:
    """The names of all simple commands, however deep; ? where one is computed."""
    found = [command for command in commands(read(text)) if isinstance(command, Simple) and command.words]
    return sorted("?" if command.name is None else command.name for command in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# nothing", []),
        ("a & b; c", ["a", "b", "c"]),
        ("a \\\n  b # c\nd", ["a", "d"]),
        ("a |& b", ["a", "b"]),
        ("a |\n b ||\n c", ["a", "b", "c"]),
        ("! time a", ["a"]),
        ("if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]),
        ("while a; do b; done; until c; do d; done", ["a", "b", "c", "d"]),
        ("for i; do a; done", ["a"]),
        ("for i do a; done", ["a"]),
        ("for i\nin x $(a); do\n b\ndone", ["a", "b"]),
        ("select i in x y; do a; done", ["a"]),
        ("case $(a) in (x|y$(b)) c ;; *) d ;& z) e; esac", ["a", "b", "c", "d", "e"]),
        ("function f { a; }; function g() (b)", ["a", "b"]),
        ("f()\n{ a; } >log 2>&1", ["a"]),
        ("[[ -f x && -d y ]] && a || b", ["a", "b"]),
        ("exec 3<&0 {fd}>log &>all; a", ["a", "exec"]),
        (">log", []),
        ("x=1 y=(a $(b)\nc) ; d", ["b", "d"]),
        ("$x $y", ["?"]),
        ("'a b'\"c\"\\d", ["a bcd"]),
        ("a*", ["?"]),
        ('a "$(b "$(c)")" ${x:-$(d)}', ["a", "b", "c", "d"]),
        ('a ${x:-"$(b)"\'}\'\\}} $ "$"', ["a", "b"]),
        ("a `b \\`c\\``", ["a", "b", "c"]),
        ("a $((1 + 2)) $x", ["a"]),
        ("a <<X\n$(b) \\$(c) `d`\nX\ne", ["a", "b", "d", "e"]),
        ("a <<'X'\n$(b)\nX\ne", ["a", "e"]),
        ("a <<-X\n\t$(b)\n\tX\ne", ["a", "b", "e"]),
        ("a <<X\n$(b)", ["a", "b"]),
        ("a <<X <<Y\n$(b)\nX\n$(c)\nY\nd", ["a", "b", "c", "d"]),
    ],
)
def test_every_command_is_found(text: str, expected: list[str]) -> None:
    assert programs(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a)",
        "a;; b",
        "; a",
        "a &&",
        "(a",
        "{ a",
        "if a; then b",
        "if a; fi",
        "while a; do b",
        "for; do a; done",
        "for i in a",
        "case a in x",
        "case a in x b ;; esac",
        "f( { a; }",
        "a 'b",
        'a "b',
        "a >",
        "a <(b)",
        "{ a; } > $(b)",
        "[[ -n $(a) ]]",
        "[[ a",
        "((i > 1))",
        "((a) || (b))",
        "((a); (b))",
        "((a) || b; x=$((1 + 1))",
        "a $(($(b)))",
        "a $((1",
        "a $(b",
        "a $(b <<X)\nX\n",
        "x=(a",
        "(" * 2 + "a",
        "$( " * (MAX_DEPTH + 2),
    ],
)
def test_what_is_not_understood_is_not_guessed_at(text: str) -> None:
    with pytest.raises(CannotRead):
        read(text)


def test_what_follows_what_is_kept() -> None:
    (chain, later) = read("a && ! b | c || d & e").chains
    assert [sign for sign, _ in chain.parts] == ["", "&&", "||"]
    assert [len(pipeline.commands) for _, pipeline in chain.parts] == [1, 2, 1]
    assert [pipeline.negated for _, pipeline in chain.parts] == [False, True, False]
    assert (chain.background, later.background) == (True, False)


def test_the_parts_of_compound_commands_are_told_apart() -> None:
    text = "if a; then b; fi\nfor i in x y; do c; done\ncase x in y) d;; z) ;; esac\nf() { e; }"
    branch, loop, case, function = (chain.parts[0][1].commands[0] for chain in read(text).chains)
    assert isinstance(branch, If)
    assert (len(branch.clauses), branch.otherwise) == (1, None)
    assert isinstance(loop, Loop)
    assert [word.text for word in loop.words] == ["x", "y"]
    assert loop.condition is None
    assert isinstance(case, Case)
    assert [len(body.chains) for body in case.bodies] == [1, 0]
    assert isinstance(function, Function)
    assert function.name == "f"
