"""What the parts of install.sh do at its end, by their own functions: the units, the key, the disk."""

from pathlib import Path

import pytest

from tests.install.scripts import INSTALL, SHELLS, environment, run, shell

POINTS = """
. "$1/lib/names.sh"; . "$1/lib/files.sh"; . "$1/lib/service.sh"
name=rollcall config=$HOME/etc units=$HOME/units
point_at_env_file
"""


SETTLE = """
set -eu
. "$1/lib/environment.sh"
name=rollcall root=$HOME/root units=$HOME/units
settle
"""
SYNC = """#!/bin/sh
echo "$@" >>"$HOME/synced"
[ $# -eq {words} ]
"""


@pytest.mark.needs("dash")
@pytest.mark.parametrize(("words", "synced"), [(2, ["-f {}"]), (0, ["-f {}", ""])])
def test_only_the_environments_own_disk_is_waited_for(tmp_path: Path, words: int, synced: list[str]) -> None:
    """Where `sync` knows how; a disk of the network may never answer."""
    place = tmp_path / "root/env-aaaaaa"
    place.mkdir(parents=True)
    (place / "making").write_text("of\n")
    (tmp_path / "root/current").symlink_to(place.name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sync").write_text(SYNC.format(words=words))
    (tmp_path / "bin/sync").chmod(0o755)
    environ = environment(tmp_path, PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    done = run(*shell("dash"), "-c", SETTLE, "x", INSTALL, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "synced").read_text().splitlines() == [line.format(place) for line in synced]
    assert [path.name for path in place.iterdir()] == ["made"]


KEY = """
set -eu
. "$1/lib/files.sh"; . "$1/lib/settings.sh"
config=$HOME/etc key_file=$HOME/key
ready_key
"""


@pytest.mark.parametrize("by", [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS])
def test_a_write_key_that_is_the_same_restarts_no_service(tmp_path: Path, by: str) -> None:
    key, kept = tmp_path / "key", tmp_path / "etc/write-key"

    def seen() -> tuple[str, int, int]:
        done = run(*shell(by), "-c", KEY, "x", INSTALL, environ=environment(tmp_path))
        assert (done.returncode, done.stderr) == (0, "")
        return kept.read_text(), kept.stat().st_mode & 0o777, kept.stat().st_mtime_ns

    key.write_text("one\n")
    first = seen()
    kept.chmod(0o644)
    assert seen() == first
    assert first[:2] == ("one\n", 0o600)
    key.write_text("two\n")
    assert seen()[:2] == ("two\n", 0o600)


@pytest.mark.parametrize("by", [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS])
@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("../srv/acme.env", "srv/acme.env"),
        ("acme.env", "etc/acme.env"),
        ("{home}/srv/current/acme.env", "srv/current/acme.env"),
    ],
)
def test_a_docker_env_that_is_a_link_is_told_to_systemd_in_full(
    tmp_path: Path, by: str, link: str, told: str
) -> None:
    for folder in ("etc", "srv/release-1"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "srv/current").symlink_to("release-1")
    (tmp_path / "etc/docker.env").symlink_to(link.format(home=tmp_path))
    done = run(*shell(by), "-c", POINTS, "x", INSTALL, environ=environment(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    path = (tmp_path / "units/rollcall-env.path.d/env-file.conf").read_text().splitlines()
    service = (tmp_path / "units/rollcall.service.d/env-file.conf").read_text().splitlines()
    assert path[-2:] == [f"PathChanged={tmp_path}/{told}", f"PathModified={tmp_path}/{told}"]
    assert f"LoadCredential=docker.env:{tmp_path}/{told}" in service


RUNS = """
set -eu
. "$1/lib/names.sh"; . "$1/lib/service.sh"
name=rollcall command=rollcall config=$HOME/etc sysusers=$HOME/sysusers manager=systemctl
say_that_it_runs
"""


@pytest.mark.parametrize("by", [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS])
@pytest.mark.parametrize(
    ("version", "mode", "silent"),
    [
        ("systemd 252 (252.22-1)", 0o600, False),
        ("systemd 247 (247.3-7)", 0o600, False),
        ("systemd 239 (239-78.el8)", 0o600, True),
        ("systemd 239 (239-78.el8)", 0o604, False),
        ("", 0o600, False),
    ],
)
def test_a_systemd_that_copies_no_docker_env_for_the_service_is_named(
    tmp_path: Path, by: str, version: str, mode: int, silent: bool
) -> None:
    for folder in ("bin", "etc"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin/systemctl").write_text(f"#!/bin/sh\necho '{version}'\necho +PAM\n")
    (tmp_path / "bin/systemctl").chmod(0o755)
    (tmp_path / "etc/docker.env").touch()
    (tmp_path / "etc/docker.env").chmod(mode)
    environ = environment(tmp_path, PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    done = run(*shell(by), "-c", RUNS, "x", INSTALL, environ=environ)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("rollcall: the heartbeat is running")
    assert ("but silent: systemd 239 gives it no copy of" in done.stderr) == silent, done.stderr
    assert (f"chmod 640 {tmp_path}/etc/docker.env" in done.stderr) == silent, done.stderr
