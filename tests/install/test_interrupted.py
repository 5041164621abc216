"""Whatever step an installation was ended at, the next one mends all, and uninstall.sh leaves nothing."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install import shims
from tests.install.homes import Home
from tests.install.scripts import home_of_nobody, run
from tests.leftovers import remove
from tests.parts import NOBODY

SOME = 2
pytestmark = pytest.mark.needs("user", "unshare", "dash")


class Steps:
    """An installation that can be ended at its n-th step, with all of its processes."""

    def __init__(self, bundle: Path) -> None:
        self.home = Home(bundle, home_of_nobody())
        self.shims = home_of_nobody("rollcall-shims-")
        shims.laid(self.shims, shims.END)

    def fresh(self) -> None:
        remove(self.home.path)
        self.home.path = home_of_nobody()

    def removed(self) -> None:
        remove(self.shims)
        remove(self.home.path)

    def ended(self, at: int, by: signal.Signals) -> int:
        """Install until that step; how many steps were taken."""
        shims.reset(self.shims)
        environ = {**self.home.environ, "END_AT": str(at), "END_BY": by.name.removeprefix("SIG")}
        environ["PATH"] = f"{self.shims}:{environ['PATH']}"
        with (self.shims / "said").open("w") as said:
            process = subprocess.Popen(
                self.home.installing("--", "true"),
                env=environ,
                cwd=self.home.path,
                stdin=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            process.wait(timeout=120)
        return shims.steps(self.shims)


@pytest.fixture
def steps(bundle: Path) -> Iterator[Steps]:
    found = Steps(bundle)
    yield found
    found.removed()


@pytest.fixture(scope="module")
def last(bundle: Path) -> int:
    """How many steps an installation has."""
    once = Steps(bundle)
    found = once.ended(0, signal.SIGKILL)
    once.home.works()
    once.removed()
    assert found > 20
    return found


def chosen(last: int, *, every: bool) -> list[int]:
    return list(range(1, last + 1)) if every else [last * (2 * one + 1) // (2 * SOME) for one in range(SOME)]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_the_next_run_mends_all(steps: Steps, last: int, slow: bool, by: signal.Signals) -> None:
    for at in chosen(last, every=slow):
        steps.fresh()
        assert steps.ended(at, by) <= at + 2  # it removes what it made, and the lock
        if at % 2 or not slow:
            steps.home.is_mended()
        steps.home.is_uninstalled()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_an_impatient_operator_is_served_in_the_end(steps: Steps, last: int, by: signal.Signals) -> None:
    """Each run goes one step further than the last, over all that those before it left."""
    for at in chosen(last, every=True):
        steps.ended(at, by)
    steps.home.is_mended()
    steps.home.is_uninstalled()


@pytest.mark.timeout(1200)
def test_an_upgrade_that_is_ended_leaves_an_installation_that_works(
    steps: Steps, last: int, slow: bool
) -> None:
    steps.home.is_mended()
    for at in chosen(last, every=slow):
        (steps.home.root / "current/made").write_text("something else\n")
        steps.ended(at, signal.SIGKILL)
        steps.home.works()
    steps.home.is_mended()
    steps.home.is_uninstalled()


def test_a_docker_env_that_was_half_pointed_at_is_pointed_at(bundle: Path) -> None:
    """The vendor's own file, by its link: what a kill left is in the way of nothing."""
    home = Home(bundle, home_of_nobody())
    theirs = home.path / "acme.env"
    theirs.write_text("ROLLCALL_ENDPOINT=http://127.0.0.1:9\n")
    shutil.chown(theirs, NOBODY, NOBODY)
    home.env_file.parent.mkdir(parents=True)
    Path(f"{home.env_file}.new").symlink_to(theirs)
    for path in (home.path / ".config", home.env_file.parent):
        shutil.chown(path, NOBODY, NOBODY)
    done = run(*home.installing("--env-file", str(theirs)), environ=home.environ)
    assert done.returncode == 0, done.stderr
    assert home.env_file.readlink() == theirs
    home.works()
    theirs.unlink()
    home.is_uninstalled()
