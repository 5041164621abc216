"""The archive on Debian 11 as it comes: its Python 3.9 alone, without pip, distutils or a network."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.install.scripts import INSTALL, environment, run

PLACE = "var/tmp/vendor"
INSIDE = """
mount -t proc proc "$1/proc"
exec chroot "$1" env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh -ec "$2"
"""
pytestmark = [pytest.mark.needs("root", "unshare", "qemu"), pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def debian() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rollcall-debian-") as folder:
        made = subprocess.run(
            ["mmdebstrap", "--variant=minbase", "--include=python3", "bullseye", folder],
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            missing("qemu-mirror", made.stderr.splitlines()[-1])
        yield Path(folder)


def test_the_archive_installs_on_debian_11(debian: Path, tmp_path: Path) -> None:
    archive = tmp_path / "rollcall.tar.gz"
    words = ["--platform", "x86_64-glibc", "--python", "3.9", "--output", str(archive)]
    subprocess.run([INSTALL / "bundle", *words], check=True)
    (debian / PLACE).mkdir()
    subprocess.run(["tar", "xzf", archive, "--strip-components=1", "-C", debian / PLACE], check=True)

    def inside(script: str) -> str:
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", INSIDE, "sh"]
        done = run(*command, debian, script, environ=environment(tmp_path))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert inside(f"/{PLACE}/install/install.sh --product Acme -- echo the product") == "the product\n"
    assert '"sending": true' in inside("rollcall-acme status --json")
    assert "Installation Success" in inside("rollcall-acme log")
    assert inside("ls /opt/rollcall-acme/current/bin | grep rollcall") == "rollcall\n"
    inside("/opt/rollcall-acme/install/uninstall.sh --yes")
    assert not list((debian / "opt").iterdir())
