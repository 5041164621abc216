"""A day of the real service under a real systemd on a real kernel, in minutes."""

from pathlib import Path

import pytest

from tests import parts
from tests.e2e import virtual

pytestmark = [pytest.mark.needs("root", "qemu"), pytest.mark.timeout(1500)]

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
        pytest.param([], id="undisturbed", marks=pytest.mark.slow),
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


def test_a_mirror_that_never_answers_is_named_as_a_skip_that_fails_nothing(tmp_path: Path) -> None:
    dead = tmp_path / "sources.list"
    dead.write_text("deb [trusted=yes] http://127.0.0.1:9/debian stable main\n")
    with pytest.raises(pytest.skip.Exception, match="qemu-mirror") as skipped:
        virtual.build(tmp_path, dead)
    assert parts.is_soft(str(skipped.value))


def test_a_mirror_is_tried_again_before_it_is_given_up(tmp_path: Path) -> None:
    third = "echo try >>tries; test $(wc -l <tries) -eq 3"
    virtual.fetch(["sh", "-c", third], tmp_path)
    with pytest.raises(pytest.skip.Exception, match=r"sleep took more than 0.1 s"):
        virtual.fetch(["sleep", "60"], tmp_path, seconds=0.1)
    with pytest.raises(pytest.skip.Exception, match="qemu-mirror"):
        virtual.fetch(["sh", "-c", "echo try >>more; exit 1"], tmp_path)
    assert (tmp_path / "more").read_text().split() == ["try"] * virtual.TRIES
