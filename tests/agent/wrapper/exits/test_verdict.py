"""Which step ended a script: told from its text and from its processes' ends, as the kernel tells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.wrapper.exits import replay, watcher
from agent.wrapper.exits.taskstats import Exit
from agent.wrapper.exits.texts import Texts
from agent.wrapper.exits.verdict import failed_step
from agent.wrapper.process.caller import Environment
from agent.wrapper.shell.reader import read
from agent.wrapper.shell.script import ShellRun
from agent.wrapper.shell.syntax import Word

CMD = 100
FETCH = (b"fetch", 22)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("fetch", "fine", "build"):
        (tmp_path / name).write_bytes(b"\x7fELF\0")
        (tmp_path / name).chmod(0o755)


def exits_of(steps: str, code: int) -> list[Exit]:
    """Steps such as `fine fetch=22 (build=1)=1`: programs with their codes, and subshells around theirs."""
    found: list[Exit] = []
    parents, fresh = [CMD], CMD
    for step in steps.replace("(", "( ").replace(")", " )").split():
        name, _, status = step.partition("=")
        if name == "(":
            fresh += 1
            parents.append(fresh)
        elif name == ")":
            pid = parents.pop()
            found.append(Exit(pid, parents[-1], int(status or 0), b"sh", forked=True))
        else:
            fresh += 1
            found.append(Exit(fresh, parents[-1], int(status or 0), name.encode(), forked=False))
    return [*found, Exit(CMD, 1, code, b"sh", forked=False)]


def told(
    text: str,
    steps: str = "fetch=22",
    code: int = 22,
    *,
    shell: str = "dash",
    options: str = "",
    end: tuple[bytes, int, int] | None = None,
) -> tuple[bytes, int] | None:
    """The verdict on a script whose steps ended so, and which ended with that code."""
    run = ShellRun(b"bash" if shell == "bash" else b"sh")
    run.program, run.names = shell.encode(), {b"sh", b"install.sh"}
    run.options, run.arguments = set(options.encode().split()), [b"build", b"b"]
    exits = exits_of(steps, code)
    if end:
        exits[-1] = Exit(end[1], 1, end[2], end[0], forked=False)
    return failed_step(exits, CMD, run, text.encode(), Environment([b"PATH=.", b"RUN=fine"]), code)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("set -e\nfetch; fine", "fetch=22"),
        ("set +u -e\nfetch", "fetch=22"),
        ("set -o errexit; fetch", "fetch=22"),
        ("fetch || exit; fine", "fetch=22"),
        ("fetch || { if fine; then exit 22; else exit $?; fi; }; fine", "fetch=22 fine"),
        ("fetch || if true; then exit 22; fi; exit 22", "fetch=22"),
        ("fetch; if [ $? -ne 0 ]; then exit 22; fi; fine", "fetch=22"),
        ("fetch; if [ $? -eq 0 ]; then fine; else exit 22; fi; fine", "fetch=22"),
        ('fetch; test "$?" = 0 || exit 22; fine', "fetch=22"),
        ("fetch; [ $? -ne 0 ] && exit 22; fine", "fetch=22"),
        ('fetch; rc=$?; fine; [ "$rc" = 0 ] || exit $rc', "fetch=22 fine"),
        ("f() { local rc; fetch; rc=$?; fine; return $rc; }; f || exit 22", "fetch=22 fine"),
        ("s=0; fetch || s=22; fine; exit $s", "fetch=22 fine"),
        ("f() { fetch || return; fine; }; f || exit 22", "fetch=22"),
        ("set -e; f() { fetch; }; f; fine", "fetch=22"),
        ("f() { fine; }; f() { fetch; }; f || exit 22", "fetch=22"),
        ("die() { if [ $1 ]; then exit $1; else exit 22; fi; }; fetch || die", "fetch=22"),
        ("die() { exit ${2:-1}; }; fetch || die no 22", "fetch=22"),
        ("die() { exit $1; }; fetch || die 22", "fetch=22"),
        ('ensure() { "$@" || exit 22; }; ensure fine; ensure fetch', "fine fetch=22"),
        ('run() { shift; "$@"; }; again() { run x "$@"; }; set -e; again fetch', "fetch=22"),
        ('run() { "$1" "$2"; }; set -e; run fetch', "fetch=22"),
        ("set -- fetch; set -e; $1", "fetch=22"),
        ("set -e; while fine; do fetch; done", "fine fetch=22"),
        ("set -e; until fetch; do [ $n = 3 ] && exit 22; done", "fetch=22 fetch=22"),
        ("until fetch; do fine; [ $n -lt 3 ] || exit 22; done", "fetch=22 fine fetch=22 fine"),
        ("set -e; fetch || { cd x; build; exit 22; }", "fetch=22 build=22"),
        ("set -e; for i in 1 2; do fine; [ $i ] && break; done; fetch", "fine fetch=22"),
        ("set -e; for i in 1 2; do fine || continue; fine; done; fetch", "fine=1 fine fine fetch=22"),
        ("set -e; case x in x) fetch; esac", "fetch=22"),
        ("set -e; time fetch", "fetch=22"),
        ("set -e; command fetch; fine", "fetch=22"),
        ("set -e; trap - EXIT; trap fine EXIT; fetch", "fetch=22 fine"),
        ("set -e; trap 'fine; exit 22' 0; fetch || exit 3", "fetch=22 fine"),
        ("set -e; trap 'rc=$?; fine; exit $rc' EXIT; fetch", "fetch=22 fine"),
        ("set -e; fine | { fetch; }", "(fetch=22)=22 fine"),
        ("set -e; fine | { fetch; }", "fine (fetch=22)=22"),
        ("set -e; ! fine; fetch", "fine fetch=22"),
        ("! fetch && exit 22", "fetch=22"),
        ("set -e; $x; fetch || true", "fetch=22"),
        ("set -e; $nowhere/fine; fetch || true; fetch", "fine fetch=22 fetch=22"),
        ("set -e; eval fetch", "fetch=22"),
        ('set -e; eval "x=$y"; fetch', "fetch=22"),
        ('set -e; eval set -- "$y"; fetch', "fetch=22"),
        ("set -e; sudo fetch; fine", "fetch=22"),
        ("set -e; (cd x; fetch)", "(fetch=22)=22"),
        ("set -e; (cd x; exec fetch)", "fetch=22"),
        ("x=$(fetch) || exit 22", "fetch=22"),
        ("x=$(f) || exit 22; f() { fetch; }", "fetch=22"),
        ("f() { fine; fetch; }; x=$(f) || exit 22", "(fine fetch=22)=22"),
        ("echo ${x:-$(fine)}; fetch || exit 22", "fetch=22"),
        ("echo ${x:-$(fine)}; fetch || exit 22", "fine fetch=22"),
        ("fine & fetch || exit 22", "fetch=22 fine"),
        ("(fine; build) & fetch || exit 22; wait", "fetch=22"),
        ("(fine; build) & fetch || exit 22", "(fine build)=0 fetch=22"),
        ("alias ls=; fetch || exit 22", "fetch=22"),
        ("{ fetch; } >/x || exit 22", "fetch=22"),
        ("select x in $(fine); do fetch || exit 22; done", ""),
        ("exec 3>/dev/null; fetch || exit 22", "fetch=22"),
        ("[ $x ] && exec fine; fetch || exit 22", "fetch=22"),
        ("f() { f; }; [ $x ] || fetch || exit 22", "fetch=22"),
    ],
)
def test_a_failure_that_surely_ended_the_script_is_named(text: str, steps: str) -> None:
    assert told(text, steps) == (FETCH if steps else None)


@pytest.mark.parametrize(
    ("text", "steps", "code"),
    [
        ("fetch; fine", "fetch=22", 22),
        ("fetch || true; exit 22", "fetch=22", 22),
        ("fetch && fine; exit 22", "fetch=22", 22),
        ("set -e; fetch || fine; exit 22", "fetch=22 fine", 22),
        ("fetch & exit 22", "fetch=22", 22),
        ("if fetch; then fine; elif fine; then exit 22; fi; exit 22", "fetch=22 fine=1", 22),
        ("fetch; if fine && [ $? -ne 0 ]; then exit 22; fi; exit 22", "fetch=22 fine", 22),
        ("fetch; if fine; then exit 22; fi; exit 22", "fetch=22 fine", 22),
        ("fetch; [ $x -ne 0 ] && exit 22; exit 22", "fetch=22", 22),
        ("if fine; then set -e; fi; fetch; exit 22", "fine=1 fetch=22", 22),
        ('set -e; trap "$x" ERR; fetch', "fetch=22", 22),
        ("set -e; alias fetch=fine; fetch", "fetch=22", 22),
        ("set -e; . ./nosuch; fetch", "fetch=22", 22),
        (". $x; fetch || exit 22", "fetch=22", 22),
        ("set -e; exec sh x; fetch", "fetch=22", 22),
        ("set -e; exec $x; fetch", "fetch=22", 22),
        ("set -e; fetch (", "fetch=22", 22),
        ('eval "$(fine)"; fetch || exit 22', "fine fetch=22", 22),
        ("eval 'fetch ('; fetch || exit 22", "fetch=22", 22),
        ("fine && set -e; fetch; exit 22", "fine=1 fetch=22", 22),
        ("f() { set +e; fetch || return; set -e; }; set -e; f; exit 22", "fetch=22", 22),
        ("set -- -e; fetch; exit 22", "fetch=22", 22),
        ("fetch; [ x ]", "fetch=1", 1),
        ("PATH=/x; fetch || true; fine || exit 1", "fetch=1", 1),
        ("fetch || true; [ x ] || exit 1", "fetch=1", 1),
        ("if ! fetch; then fine; [ x ] || exit 1; fi", "fetch=1 fine", 1),
        ("build() { fine; }; fetch || true; $x || exit 1", "fetch=1", 1),
        ("set -u; fetch || true; echo $x", "fetch=2", 2),
        ("fetch || true; : ${x?}", "fetch=2", 2),
        ("fetch || true; fine >/x || exit 1", "fetch=1", 1),
        ("fetch || true; set -o pipefail || exit 1", "fetch=1", 1),
        ("fetch || true; nosuch || exit 1", "fetch=1", 1),
        ("fetch || true; shift 9; exit 3", "fetch=2", 2),
        ("fetch & wait $! || exit 1", "fetch=1", 1),
        ("while fine; do break 2; done; fetch || exit 1", "fine fetch=1", 1),
        ("f() { f; }; f; fetch || exit 1", "fetch=1", 1),
        ("cat <(fine); fetch || exit 1", "fetch=1", 1),
        ("false || exit 1; fetch || exit 1", "", 1),
        ("false", "", 1),
    ],
)
def test_where_there_is_a_doubt_nothing_is_named(text: str, steps: str, code: int) -> None:
    assert told(text, steps, code) is None


def test_the_end_must_be_that_of_the_script() -> None:
    assert told("set -e; fetch", end=(b"sh", CMD + 9, 22)) is None
    assert told("set -e; fetch", end=(b"sh", CMD, 1)) is None


def test_the_last_word_of_a_script_may_be_exec() -> None:
    assert told("fine; exec fetch", "fine", end=(b"fetch", CMD, 22)) == FETCH
    assert told("exec grep", "", 1, end=(b"grep", CMD, 1)) is None
    assert told("exec bash x", "", 1, end=(b"bash", CMD, 1)) is None


def test_a_file_that_a_script_reads_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("get() { fetch; }\nget || exit 22\n")
    assert told(". ./more; fine; exit 0") == FETCH
    (tmp_path / "more").write_text("fetch || return 3\n")
    assert told(". ./more; exit 22") is None
    assert told(". ./more || exit 22") == FETCH
    (tmp_path / "more").write_text("fetch (\n")
    assert told(". ./more; fetch || exit 22") is None
    assert told(". /etc/no-such-file; fetch || exit 22") == FETCH


def test_a_tolerated_failure_does_not_hide_the_one_before() -> None:
    text = "set -e; build || true; fetch"
    assert told(text, "build=1 fetch=22") == FETCH
    assert told(text, "fetch=22 build=1") is None


def test_every_step_must_have_its_place_in_the_text() -> None:
    text = "fetch; fine; build; fetch || exit 22"
    assert told(text, "fetch=22 fine build=1 fetch=22") == FETCH
    assert told(text, "fetch=22 build=1 fetch=22") is None
    assert told(text, "fetch=22 fine build=1 fetch=22 fine") is None


@pytest.mark.parametrize(
    ("text", "steps", "code", "name"),
    [
        ("set -e; grep x y", "grep=2", 2, None),
        ("set -e; fetch", "fetch=130", 130, None),
        ("set -e; fetch", "fetch=137", 137, (b"fetch", 137)),
        ("sh x || exit 1", "sh=3", 1, (b"sh", 3)),
        ('"$x/setup" || exit 1', "sh=3", 1, (b"setup", 3)),
        ('"$x/setup" || exit 1', "setup=3", 1, (b"setup", 3)),
        ("$x || exit 1", "sh=3", 1, None),
        ("S='sh -c'; $S x || exit 1", "sh=3", 1, (b"sh", 3)),
        ("$RUN || exit 1", "fine=3", 1, (b"fine", 3)),
        ("RUN=build; $RUN || exit 1", "fine=3", 1, (b"fine", 3)),
        ('"$1" || exit 1', "build=3", 1, (b"build", 3)),
        ("a-name-of-twenty-one || exit 1", "a-name-of-twent=3", 1, (b"a-name-of-twenty-one", 3)),
        ("a-name-of-twenty-one; a-name-of-twenty || exit 1", "a-name-of-twent=0 a-name-of-twent=3", 1, None),
    ],
)
def test_only_a_certain_name_is_told(
    text: str, steps: str, code: int, name: tuple[bytes, int] | None
) -> None:
    assert told(text, steps, code) == name


@pytest.mark.parametrize(
    ("start", "code", "name"),
    [
        ("#!/usr/bin/env python3\n", 1, (b"python3", 3)),
        ("#!/bin/sh\n", 1, None),
        ("\0", 1, None),
    ],
)
def test_a_program_may_become_another(
    tmp_path: Path, start: str, code: int, name: tuple[bytes, int] | None
) -> None:
    (tmp_path / "tool").write_text(start)
    assert told("tool || exit 1", "python3=3", code) == name


def test_a_script_without_a_first_line_is_run_by_a_shell(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("exit 3\n")
    assert told("./tool || exit 1", "sh=3", 1) == (b"tool", 3)


@pytest.mark.parametrize(
    ("shell", "text", "steps", "code", "name"),
    [
        ("ksh", "(fetch) || exit 1", "fetch=3", 1, (b"fetch", 3)),
        ("bash", "set -o pipefail; fetch | fine || exit 1", "fetch=3 fine", 1, (b"fetch", 3)),
        ("bash", "fetch | fine || exit 1", "fetch=3 fine", 1, None),
        ("bash", "fetch <(fine) || exit 1", "fine fetch=3", 1, (b"fetch", 3)),
        ("bash", "nosuch || fetch || exit 1", "()=127 fetch=3", 1, (b"fetch", 3)),
        ("bash", "fetch <<E || exit 1\n$(fine)\nE\n", "fetch=3", 1, (b"fetch", 3)),
        ("bash", "set -e; x=$(fetch; fine) || exit 1; build", "(fetch=3 fine)=0 build=1", 1, (b"build", 1)),
        ("bash", "fetch; [[ $? -eq 0 ]] || exit 1", "fetch=3", 1, (b"fetch", 3)),
        ("dash", "((fetch) || exit 1)", "((fetch=3)=3)=1", 1, None),
        ("dash", "f() { exit 1; }; set -u; fetch || f; echo $x", "fetch=3", 1, (b"fetch", 3)),
        ("yash", "set -u; fetch || true; echo $x", "fetch=1", 1, None),
    ],
)
def test_shells_differ(shell: str, text: str, steps: str, code: int, name: tuple[bytes, int] | None) -> None:
    assert told(text, steps, code, shell=shell) == name


def test_options_of_the_shell_hold_from_the_start() -> None:
    assert told("fetch; fine", options="e") == FETCH
    assert told("fetch; fine") is None
    assert told("fetch | fine; fine", "fine fetch=22", shell="bash", options="e pipefail") == FETCH


@pytest.mark.parametrize(
    "text",
    [
        "f() { " * 60 + "fetch" + "; }" * 60,
        "{ " * 60 + "fetch || exit 22" + "; }" * 60,
        "f0() { fetch; }\n" + "\n".join(f"f{n + 1}() {{ f{n}; f{n}; }}" for n in range(20)) + "\nf20",
        "while :; do [ $x ] && set -- $1 $1 && false; x=$?; y=$?; done; exit $x; exit $y",
    ],
)
def test_a_script_that_is_too_deep_or_too_much_ends_in_no_name_and_no_error(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "MAX_STEPS", 2000)
    assert told(f"set -e\n{text}\nexit 22", code=3) is None


def test_subshells_in_a_subshell_are_no_arithmetic() -> None:
    text = "set -e; ((build || true); (:)); if false; then build; fi; [ -d nosuch ]"
    assert told(text, "build=1", 1) is None


def test_of_too_many_steps_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "KEPT", 3)
    exits = exits_of("fine fine", 0)
    steps = watcher.Steps(CMD)
    steps.take(lambda: iter(exits))
    assert steps.kept == exits
    with pytest.raises(OSError, match="too many"):
        steps.take(lambda: iter(exits_of("fine", 0)))


@pytest.mark.parametrize(("count", "found"), [(8, (b"build", 1)), (40, None)])
def test_programs_beside_each_other_are_given_up_before_they_take_minutes(
    count: int, found: tuple[bytes, int] | None
) -> None:
    """They may have ended in any order, and twice as many have far more than twice as many orders."""
    text = "set -e\n" + "".join(f"fetch {number} &\n" for number in range(count)) + "wait\nbuild\nfine"
    assert told(text, "fetch " * count + "build=1", 1) == found


@pytest.mark.parametrize(("depth", "found"), [(4, (b"build", 1)), (16, None)])
def test_functions_in_functions_are_given_up_before_they_take_minutes(
    depth: int, found: tuple[bytes, int] | None
) -> None:
    """Each is called twice in the next, so that one more takes twice as long to look through."""
    calls = "".join(f"f{n + 1}() {{ if [ $x ]; then f{n}; else f{n}; fi; }}\n" for n in range(depth))
    assert told(f"set -e\nf0() {{ exit 1; }}\n{calls}fine || f{depth}\nbuild", "fine build=1", 1) == found


def test_the_scripts_own_name_is_none_of_its_arguments() -> None:
    """Else `"$0" step` would seem to run the last of them."""
    texts = Texts(read(b""), Environment([]), nounset=False)
    own, first = Word(b'"$0"', None, 1, []), Word(b"$1", None, 1, [])
    given = Word(b"/opt/app", b"/opt/app", 1, [])
    assert texts.given([own, first], (given,)) == (own, given)
    assert texts.expanded(own, (given,)) is None
