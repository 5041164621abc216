from __future__ import annotations

import pytest

from agent.wrapper.person.email import ask_for_email


@pytest.mark.parametrize(
    ("answers", "email", "asked"),
    [
        (["me@example.org"], "me@example.org", 1),
        ([""], "", 1),
        (["me", "me@example.org"], "me@example.org", 2),
        (["me", "me@", "me@example"], None, 3),
    ],
)
def test_an_address_is_asked_for_until_one_is_given_three_times_at_most(
    answers: list[str], email: str | None, asked: int
) -> None:
    questions: list[str] = []

    def read_answer(question: str) -> str:
        questions.append(question)
        return answers[len(questions) - 1]

    assert ask_for_email("rollcall-shop", read_answer) == email
    assert len(questions) == asked
    assert all(question.startswith("rollcall-shop: ") for question in questions)
    assert all("not an e-mail address" in question for question in questions[1:])
