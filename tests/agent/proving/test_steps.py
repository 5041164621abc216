"""What the proof runs."""

from __future__ import annotations

import argparse

from agent.cli import parser
from agent.proving.steps import LEFT_OUT, STEPS


def test_every_verb_is_run_or_named_as_left_out() -> None:
    groups = [
        action for action in parser("rollcall")._actions if isinstance(action, argparse._SubParsersAction)
    ]
    assert {step.words[0] for step in STEPS} | set(LEFT_OUT) == set(groups[0].choices)
    assert ("support", "--bundle") in {step.words[:2] for step in STEPS}
