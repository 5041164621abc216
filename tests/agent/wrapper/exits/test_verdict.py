"""Which step ended a script: told from its text and from its programs' ends, as the kernel tells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.wrapper.exits.shells import Script
from agent.wrapper.exits.taskstats import Exit
from agent.wrapper.exits.verdict import failed_step
from agent.wrapper.process.caller import Environment

CMD = 100
FETCH, BUILD, FINE = (b"fetch", 22), (b"build", 1), (b"fine", 0)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fine").write_text("#!/bin/sh\n")
    (tmp_path / "fine").chmod(0o755)


def told(
    text: str,
    *steps: tuple[bytes, int],
    code: int | None = None,
    options: bytes = b"",
    end: tuple[bytes, int, int] | None = None,
) -> tuple[bytes, int] | None:
    """The verdict on a script whose steps ended so; its code is the last one's if nothing else is said."""
    script = Script(text.encode(), options, [])
    script.names = {b"sh", b"install.sh"}
    script.environment = Environment([b"PATH=."])
    code = steps[-1][1] if code is None else code
    exits = [Exit(CMD + at, CMD, status, name, forked=False) for at, (name, status) in enumerate(steps, 1)]
    name, pid, status = end or (b"sh", CMD, code)
    return failed_step([*exits, Exit(pid, 1, status, name, forked=False)], CMD, script, code)


@pytest.mark.parametrize(
    "text",
    [
        "set -e\nfetch; fine",
        "set +u -e\nfetch",
        "fetch || exit; fine",
        "fetch || { if fine; then exit 22; else exit $?; fi; }; fine",
        "fetch; if [ $? -ne 0 ]; then exit 22; fi; fine",
        "fetch; if [ $? -eq 0 ]; then fine; else exit 22; fi; fine",
        'fetch; test "$?" = 0 || exit 22; fine',
        "fetch; [ $? -ne 0 ] && exit 22; fine",
        "f() { fetch || return; fine; }; f || exit 22",
        "set -e; f() { fetch; }; f; fine",
        "set -e; while fine; do fetch; done",
        "set -e; case x in x) fetch; esac",
        "set -e; time fetch",
        "set -e; command fetch; fine",
        "set -e; trap - EXIT; trap fine EXIT; fetch",
        "set -e; fine | { fetch; }",
        "set -e; ! fine; fetch",
        "set -e; $x; fetch || true",
        "set -e; $nowhere/fine; fetch || true; fetch",
    ],
)
def test_a_failure_that_surely_ended_the_script_is_named(text: str) -> None:
    assert told(text, FETCH) == FETCH


@pytest.mark.parametrize(
    "text",
    [
        "fetch; fine",
        "fetch || true; exit 22",
        "fetch && fine; exit 22",
        "set -e; fetch || fine; exit 22",
        "fetch & exit 22",
        "if fetch; then fine; elif fine; then exit 22; fi; exit 22",
        "fetch; if fine && [ $? -ne 0 ]; then exit 22; fi; exit 22",
        "fetch; if fine; then exit 22; fi; exit 22",
        "fetch; [ $x -ne 0 ] && exit 22; exit 22",
        "if fine; then set -e; fi; fetch; exit 22",
        'set -e; trap "$x" EXIT; fetch',
        "set -e; alias fetch=fine; fetch",
        "set -e; . ./nosuch; fetch",
        "set -e; exec sh x; fetch",
        "set -e; exec $x; fetch",
        "set -e; fetch (",
        "set -e; eval fetch",
        "fetch || if true; then exit 22; fi; exit 22",
        "fine && set -e; fetch; exit 22",
        "f() { set +e; fetch || return; set -e; }; set -e; f; exit 22",
        "set -- -e; fetch; exit 22",
        "set -e; sudo fetch; fetch || true; exit 22",
    ],
)
def test_where_there_is_a_doubt_nothing_is_named(text: str) -> None:
    assert told(text, FETCH) is None


def test_the_end_must_be_that_of_the_script() -> None:
    assert told("set -e; fetch", FETCH, end=(b"sh", CMD + 9, 22)) is None
    assert told("set -e; fetch", FETCH, end=(b"sh", CMD, 1)) is None


def test_the_last_word_of_a_script_may_be_exec() -> None:
    assert told("exec fetch", FINE, code=22, end=(b"fetch", CMD, 22)) == FETCH
    assert told("exec grep", FINE, code=1, end=(b"grep", CMD, 1)) is None


def test_a_file_that_a_script_reads_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("fetch || exit 22\n")
    assert told(". ./more; fine; exit 0", FETCH) == FETCH
    (tmp_path / "more").write_text("fetch || true\n")
    assert told(". ./more; fine; exit 22", FETCH) is None


def test_a_tolerated_failure_does_not_hide_the_one_before() -> None:
    text = "set -e; build || true; fetch"
    assert told(text, BUILD, FETCH) == FETCH
    assert told(text, FETCH, BUILD, code=22) is None


def test_what_surely_runs_next_tells_that_a_failure_was_borne() -> None:
    text = "fetch; fine; build; fetch || exit 22"
    assert told(text, FETCH, FINE, BUILD, FETCH) == FETCH


def test_an_answer_is_no_failure() -> None:
    assert told("set -e; grep x y", (b"grep", 2)) is None


@pytest.mark.parametrize(
    "text",
    [
        "f() { " * 40 + "fetch" + "; }" * 40,
        "{ " * 40 + "fetch || exit 22" + "; }" * 40,
        "if " * 40 + "fetch" + "; then :; fi" * 40,
        "f0() { fetch; }\n" + "\n".join(f"f{n + 1}() {{ f{n}; f{n}; }}" for n in range(16)) + "\nf16",
    ],
)
def test_a_script_that_is_too_deep_or_too_much_ends_in_no_name_and_no_error(text: str) -> None:
    assert told(f"set -e\n{text}\nexit 22", FETCH, code=3) is None


def test_subshells_in_a_subshell_are_no_arithmetic() -> None:
    text = "set -e; ((build || true); (:)); if false; then build; fi; [ -d nosuch ]"
    assert told(text, BUILD) is None
