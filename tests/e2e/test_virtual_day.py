"""A day of the real service under a real systemd on a real kernel, in minutes."""

from pathlib import Path

import pytest

from tests.e2e import virtual

pytestmark = [pytest.mark.needs("root", "qemu"), pytest.mark.timeout(1300)]

HOUR = 3600.0
JITTER = 300.0
LOOK = 75.0
"""How late the observer may notice a beat: a minute between looks, and the beat's own time."""
YEARS = 10 * 365 * 24.0


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return virtual.build(tmp_path_factory.mktemp("guest"))


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param([], id="undisturbed"),
        pytest.param([(1, -6), (4, 12), (9, -YEARS), (15, 2 * YEARS), (21, -YEARS)], id="clock set"),
    ],
)
def test_a_day_has_its_five_beats(guest: tuple[Path, Path], plan: list[tuple[float, float]]) -> None:
    seen = virtual.day(*guest, plan)
    start = seen["beats"][0] - 120
    assert 0 <= start <= 120, "the first beat comes two minutes after the start"
    assert len(seen["beats"]) == 5
    for beat, due in zip(seen["beats"], [120 + n * 6 * HOUR for n in range(5)], strict=True):
        assert -LOOK <= beat - start - due <= JITTER + LOOK
    assert seen["restarts"] == "0"
    assert seen["status"].startswith("sending")
