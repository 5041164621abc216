"""What `prove` says where it cannot begin; tests/e2e/test_prove.py has the proof itself."""

from __future__ import annotations

import tempfile

import pytest

from agent.proving.verdict import CANNOT
from tests.agent.world import World


def test_where_no_temporary_folder_can_be_made_it_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(world.path / "nowhere"))
    done = world.run("prove")
    assert (done.code, done.err) == (CANNOT, "")
    assert "no temporary folder can be made; to name one: TMPDIR" in done.out
