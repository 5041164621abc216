"""While telemetry is off, doctor opens nothing and makes nothing, counted in system calls."""

from pathlib import Path

import pytest

from tests.e2e.test_silence import Site

pytestmark = pytest.mark.needs("strace")


def test_doctor_opens_nothing_while_a_flag_is_set(open_folder: Path) -> None:
    site = Site(open_folder / "site")
    more = {"ROLLCALL_WRITE_KEY": "key", "ROLLCALL_HEALTH": "tcp:127.0.0.1:9"}
    silent = site.traced(["doctor"], DO_NOT_TRACK="1", **more)
    assert (silent.code, silent.network, silent.made) == (0, [], []), silent
    loud = site.traced(["doctor"], **more)
    assert any("connect(" in line for line in loud.network)
    assert (loud.code, loud.made, site.state.exists()) == (1, [], False), loud
