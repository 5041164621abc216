import pytest

from agent.runs.parse import parse_run
from tests.agent.runs.texts import HEAD, RUN, run_text


def test_a_whole_run_is_read_as_it_was_written() -> None:
    lines = [
        "begun",
        "failed 7 grep b c.sh",
        "ended 1800000002.5 102.25 exit 3",
        "email 1800000009 me@a.example",
    ]
    run = parse_run(run_text(*lines))
    assert run is not None
    assert (run.id, run.endpoint, run.product, run.version) == (RUN, "http://127.0.0.1:9", "Acme", "1.0")
    assert (run.began, run.clock, run.begun) == (1.8e9, 100.0, True)
    assert (run.started_id, run.ended_id, run.support_id) == tuple(
        HEAD[name] for name in ("started-id", "ended-id", "support-id")
    )
    assert run.failed == ["7", "grep", "b c.sh"]
    assert run.end == (1800000002.5, 102.25, "exit", 3)
    assert run.email == (1800000009.0, "me@a.example")
    assert run.wrapper == ("b", 1, 1)


def test_a_line_that_was_being_written_is_not_there() -> None:
    run = parse_run(run_text("begun", "ended 1800000002.000 102.000 exit 0")[:-1])
    assert run is not None
    assert (run.begun, run.end) == (True, None)


def test_the_first_word_on_the_head_counts() -> None:
    run = parse_run(run_text(f"id {RUN[::-1]}", "product Other"))
    assert run is not None
    assert (run.id, run.product) == (RUN, "Acme")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rollcall-run 2\n" + run_text().partition("\n")[2],
        run_text().replace("version 1.0\n", ""),
        run_text(id="../../etc"),
        run_text(id=RUN.upper()),
        run_text(id=RUN[1:] + "0"),
        run_text(clock="nan"),
        run_text(time="1e999"),
        run_text("ended soon 1 exit 0"),
        run_text("ended 1 1 exit"),
        run_text("ended 1 1 exit x"),
    ],
)
def test_what_is_not_whole_is_no_run(text: str) -> None:
    assert parse_run(run_text()) is not None
    assert parse_run(text) is None


@pytest.mark.parametrize("pid", ["", "1", "x 1", "1 x", "-1 1"])
def test_a_run_whose_wrapper_is_not_known_is_still_a_run(pid: str) -> None:
    run = parse_run(run_text(pid=pid))
    assert run is not None
    assert run.wrapper is None
