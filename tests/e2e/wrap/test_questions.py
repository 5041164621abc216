"""What is asked after CMD, of whom, and what an answer does."""

import sys
from collections import Counter

import pytest

from tests.e2e.wrap.desk import HELP, NOBODY_THERE, OPT_IN, Desk
from tests.e2e.wrap.shell import PROMPT

WIDENED = "the usage data of Acme says more than you agreed to; share it? [y/N] "


@pytest.mark.parametrize(
    ("answer", "kept"),
    [("y", "true"), ("Yes", "true"), ("n", "false"), ("", None), ("maybe", None), ("\x03", None)],
)
def test_the_opt_in_is_asked_once_and_kept(desk: Desk, answer: str, kept: str | None) -> None:
    with desk.shell() as shell:
        shell.type("w echo o''ne\n")
        shell.expect(OPT_IN)
        shell.type(answer if answer == "\x03" else answer + "\n")
        shell.expect(PROMPT)
        shell.run("echo status:$?")
        assert "status:0" in shell.transcript
        shell.run("w echo t''wo")
        assert shell.transcript.count(OPT_IN) == 1
    expected = f"ROLLCALL_USAGE_TELEMETRY={kept}\n" if kept else ""
    assert desk.env_file.read_text() == "# mine\nROLLCALL_PRODUCT=Acme\n" + expected
    assert sorted(map(str, desk.names())) == ["Installation Started"] * 2 + ["Installation Success"] * 2


@pytest.mark.parametrize(
    ("answer", "kept"), [("y", ["true", "2"]), ("n", ["false", None]), ("", ["true", None])]
)
def test_the_opt_in_is_asked_again_once_if_usage_events_say_more(
    desk: Desk, answer: str, kept: list[str | None]
) -> None:
    desk.asked_before()
    before = "ROLLCALL_USAGE_TELEMETRY=true\n"
    desk.env_file.write_text(before)
    desk.environment["ROLLCALL_PRODUCT"] = "Acme"
    with desk.shell() as shell:
        shell.run("w echo o''ne")
        assert WIDENED not in shell.transcript
        shell.type("ROLLCALL_USAGE_VERSION=2 w echo t''wo\n")
        shell.expect(WIDENED)
        shell.type(answer + "\n")
        shell.expect(PROMPT)
        shell.run("ROLLCALL_USAGE_VERSION=2 w echo t''hree")
        assert shell.transcript.count(WIDENED) == 1
        assert OPT_IN not in shell.transcript
    found = dict(line.split("=") for line in desk.env_file.read_text().splitlines())
    assert [found.get(f"ROLLCALL_USAGE_{name}") for name in ("TELEMETRY", "AGREED")] == kept


def test_help_is_asked_for_with_an_address(desk: Desk) -> None:
    with desk.shell() as shell:
        shell.type("w sh -c 'exit 6'\n")
        shell.expect(HELP)
        shell.type("no address\n")
        shell.expect("try again")
        shell.type("me@example.org\n")
        shell.expect("please quote ")
        shell.expect(PROMPT)
        shell.run("echo status:$?")
        shown = shell.screen
    assert "status:6" in shown
    started, failed, support = desk.log()
    assert (started["event"], failed["event"]) == ("Installation Started", "Installation Errors")
    properties = support["properties"]
    assert isinstance(properties, dict)
    assert properties["email"] == "me@example.org"
    assert f"please quote {properties['reference']}" in shown


@pytest.mark.parametrize("answers", [[""], ["a", "b", "c"], ["\x03"], ["\x04"]])
def test_no_address_sends_nothing_and_ends_as_cmd_did(desk: Desk, answers: list[str]) -> None:
    with desk.shell() as shell:
        shell.type("w sh -c 'exit 6'\n")
        for answer in answers:
            shell.expect(HELP if answer == answers[0] else "try again")
            shell.type(answer if answer in "\x03\x04" and answer else answer + "\n")
        shell.expect(PROMPT)
        shell.run("echo status:$?")
        assert "status:6" in shell.transcript
        assert ("rollcall support" in shell.transcript) == (len(answers) == 3)
    assert desk.names() == ["Installation Started", "Installation Errors"]


def test_no_address_is_asked_for_where_no_endpoint_could_get_it(desk: Desk) -> None:
    """The endpoint counts as it is after CMD, which may write docker.env."""
    del desk.environment["ROLLCALL_ENDPOINT"]
    with desk.shell() as shell:
        shell.type("w sh -c 'exit 6'\n")
        shell.expect(PROMPT)
        assert HELP not in shell.screen
        shell.type(f"w sh -c 'echo ROLLCALL_ENDPOINT={NOBODY_THERE} >>docker.env; exit 6'\n")
        shell.expect(HELP)
        shell.type("\n")
        shell.expect(PROMPT)
    # The end of the first may be recorded after the second has begun.
    assert Counter(desk.names()) == {"Installation Started": 2, "Installation Errors": 2}


@pytest.mark.parametrize("code", [0, 6])
def test_an_install_that_breaks_a_setting_is_recorded_and_nobody_is_asked(desk: Desk, code: int) -> None:
    with desk.shell() as shell:
        shell.type(f"w sh -c 'echo ROLLCALL_JITTER=never >>docker.env; exit {code}'\n")
        shell.expect(PROMPT)
        shell.run("echo status:$?")
        shown = shell.transcript
    assert f"status:{code}" in shown
    assert OPT_IN not in shown
    assert HELP not in shown
    assert "not recorded" not in shown
    desk.env_file.write_text("")
    assert desk.names() == ["Installation Started", "Installation Errors" if code else "Installation Success"]


def test_where_input_waits_nobody_is_asked(desk: Desk) -> None:
    with desk.shell() as shell:
        for end in ("3", "0"):
            shell.type(f"w sh -c 'echo U''P; until [ -e go ]; do sleep 0.02; done; exit {end}'\n")
            shell.expect("UP")
            shell.type("echo a''head\n")
            shell.expect("a''head\r\n")  # the terminal has it
            (desk.place / "go").touch()
            shell.expect("\nahead\r\n")
            shell.expect(PROMPT)
            (desk.place / "go").unlink()
        shell.run("true")
        assert HELP not in shell.screen
        assert OPT_IN not in shell.screen


@pytest.mark.parametrize(
    "command",
    [
        "w --no-input sh -c 'exit 3'",
        "w sh -c 'exit 3' 2>&1 | cat",
        "setsid -w w sh -c 'exit 3'",
        "w sh -c 'kill -INT $$'",
        "w sh -c 'stty -echo; exit 3'; stty echo",
        "w sh -c 'exit 3' & wait $!",
    ],
)
def test_nobody_is_asked_who_did_not_sit_there_for_it(desk: Desk, command: str) -> None:
    with desk.shell() as shell:
        shell.type(command + "\n")
        shell.expect(PROMPT)
        shell.run("echo st''atus")
        assert HELP not in shell.screen
        shell.type("w sh -c 'exit 3'\n")  # and the meter moves
        shell.expect(HELP)
        shell.type("\n")
        shell.expect(PROMPT)


@pytest.mark.parametrize(
    "choice", ["echo DO_NOT_TRACK=1 >>docker.env", f"{sys.executable} -I -m agent disable"]
)
def test_nobody_is_asked_whose_install_chose_silence(desk: Desk, choice: str) -> None:
    (desk.place / "install").write_text(f"{choice}\nexit $1\n")
    plain = desk.env_file.read_text()
    with desk.shell() as shell:
        for code, question in ((0, OPT_IN), (6, HELP)):
            shell.type(f"w sh install {code}\n")
            shell.expect(PROMPT)
            assert question not in shell.screen
            assert not (desk.place / "state/opt-in-asked").exists() or code
            desk.env_file.write_text(plain)
            shell.type(f"w sh -c 'exit {code}'\n")  # and the meter moves
            shell.expect(question)
            shell.type("\n")
            shell.expect(PROMPT)


def test_an_install_that_answered_the_opt_in_leaves_nothing_to_ask(desk: Desk) -> None:
    answers = f"{sys.executable} -I -m agent consent usage off\n"
    (desk.place / "install").write_text(answers)
    with desk.shell() as shell:
        shell.type("w sh install\n")
        shell.expect(PROMPT)
        assert OPT_IN not in shell.screen
        desk.env_file.write_text("ROLLCALL_PRODUCT=Acme\n")
        shell.type("w true\n")
        shell.expect(OPT_IN)
        shell.type("\n")
        shell.expect(PROMPT)


def test_support_asks_later(desk: Desk) -> None:
    desk.asked_before()
    with desk.shell() as shell:
        shell.run("w --no-input sh -c 'exit 3'")
        agent = f"{sys.executable} -I -m agent support\n"
        shell.type(agent)
        shell.expect(HELP)
        shell.type("none\n")
        shell.expect("not an e-mail address")
        shell.type("me@example.org\n")
        shell.expect("please quote")
        shell.expect(PROMPT)
        shell.type(agent)
        shell.expect(HELP)
        shell.type("\n")
        shell.expect("nothing is sent")
        shell.expect(PROMPT)
    assert desk.names() == ["Installation Started", "Installation Errors", "Installation Support"]
