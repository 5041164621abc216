from __future__ import annotations

import pytest

from agent.wrapper.person import questions, terminal
from tests.agent.world import World


class HungUp:
    """A terminal that is closed once the address was typed."""

    def read_answer(self, _question: str) -> str:
        return "me@example.org"

    def show(self, _text: str) -> None:
        raise OSError(5, "Input/output error")


def test_an_address_counts_where_nobody_can_be_thanked_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "open_terminal", lambda _seconds: HungUp())
    for signals in ("unblock_signals", "block_signals"):
        monkeypatch.setattr(terminal, signals, lambda: None)
    assert questions.ask_for_help(world.situation, "01234567") == "me@example.org"
