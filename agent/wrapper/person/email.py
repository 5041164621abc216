"""The question for an e-mail address, however its answer is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.events.catalogue import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 3
QUESTION = "{name}: e-mail address, if you would like help (it links the report to you; Enter to skip): "
AGAIN = "{name}: that is not an e-mail address; try again, or press Enter to skip: "


def ask_for_email(name: str, read_answer: Callable[[str], str]) -> str | None:
    """The address that was typed; empty if none was, None if no try was an address.

    `read_answer` shows a question and returns the line that follows it.
    """
    question = QUESTION
    for _ in range(TRIES):
        answer = read_answer(question.format(name=name))
        if not answer or re.fullmatch(EMAIL, answer):
            return answer
        question = AGAIN
    return None
