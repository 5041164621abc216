"""The power goes at a step of an installation: what was not waited for is empty, and all is mended.

A real disk, in a file: ext4 writes names long before contents, and a copy of the file is what the
next start would find.
"""

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.install import shims
from tests.install.homes import Home
from tests.install.scripts import AS_NOBODY, run
from tests.leftovers import remove
from tests.parts import NOBODY

DISK_BYTES = 400 << 20  # sparse
# Names may be written before contents, also where one file takes another's place.
OPTIONS = "loop,noauto_da_alloc"
MOMENTS = ("mv", "sync")
pytestmark = pytest.mark.needs("root", "user", "unshare", "loop")


class Disk:
    """A home on a disk of its own, of which pictures are taken as a power cut would leave it."""

    def __init__(self, bundle: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rollcall-disk-"))
        self.folder.chmod(0o755)
        self.mount_point = self.folder / "mounted"
        self.mount_point.mkdir()
        self.image = self.folder / "image"
        self.home = Home(bundle, self.mount_point / "home")
        with self.image.open("wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.mount(self.image)
        self.home.path.mkdir()
        os.chown(self.home.path, NOBODY, NOBODY)

    def mount(self, image: Path) -> None:
        subprocess.run(["mount", "-o", OPTIONS, image, self.mount_point], check=True)

    def unmount(self) -> None:
        # A flush may still be at work on it, and never comes back to it.
        subprocess.run(["umount", "--lazy", self.mount_point], check=True)

    def picture(self, name: str) -> Path:
        """The disk as it would be now without power: each name is on it, and what was waited for."""
        with (self.mount_point / "names").open("wb") as file:
            os.fsync(file.fileno())
        taken = self.folder / name
        subprocess.run(["cp", "--sparse=always", self.image, taken], check=True)
        return taken

    def sizes(self) -> dict[str, int]:
        found = {}
        for folder, _, names in os.walk(self.home.path):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):  # a flush is at work, whose journals come and go
                    found[str(path.relative_to(self.home.path))] = path.lstat().st_size
        return found

    def installed_with_pictures(self) -> list[Path]:
        """Install, taking a picture at each moment at which something is about to be put in place."""
        place = self.folder / "shims"
        place.mkdir()
        shims.laid(place, shims.TELL)
        environ = self.home.environ
        environ["PATH"] = f"{place}:{environ['PATH']}"
        pictures: list[Path] = []
        step = os.open(place / "step", os.O_RDWR)
        with subprocess.Popen(
            self.home.installing("--", "true"), env=environ, cwd="/", stderr=subprocess.PIPE
        ) as process:
            ended = os.pidfd_open(process.pid)
            while step in select.select([step, ended], [], [])[0]:
                program = os.read(step, 100).decode().strip()
                if program in MOMENTS:
                    pictures.append(self.picture(f"{len(pictures):02d}-{program}"))
                (place / "go").write_text("\n")
            os.close(ended)
            os.close(step)
            assert process.stderr
            assert process.wait() == 0, process.stderr.read()
        return [*pictures, self.picture(f"{len(pictures):02d}-end")]


@pytest.fixture
def disk(bundle: Path) -> Iterator[Disk]:
    found = Disk(bundle)
    yield found
    found.unmount()
    remove(found.folder)


@pytest.mark.timeout(900)
def test_after_a_power_cut_the_command_runs_and_the_next_run_mends_all(disk: Disk, slow: bool) -> None:
    pictures = disk.installed_with_pictures()
    whole = disk.sizes()
    before_sync = next(picture for picture in pictures if picture.name.endswith("sync"))
    lost = {}
    for picture in pictures if slow else (pictures[0], before_sync, pictures[-1]):
        disk.unmount()
        disk.mount(picture)
        found = disk.sizes()
        gone = [name for name, size in found.items() if whole.get(name) and not size]
        # What delivers may be making its database meanwhile, whose journal is SQLite's own promise. And the
        # notice waits for no disk: its note, if empty, holds back what is new until it is shown.
        lost[picture] = [name for name in gone if not name.endswith(("/outbox.db", "/catalogue-shown"))]
        assert [name for name in lost[picture] if "/env-" not in name] == [], "what is put is put whole"
        if disk.home.command.exists():
            words = [*AS_NOBODY, str(disk.home.command), "wrap", "--", "sh", "-c", "echo out; exit 7"]
            done = run(*words, environ=disk.home.environ)
            assert (done.returncode, done.stdout) == (7, "out\n"), done.stderr
        disk.home.is_mended()
        disk.home.is_uninstalled()
    assert len(lost[before_sync]) > 100, "the disk does lose what was not waited for"
    assert lost[pictures[-1]] == []
