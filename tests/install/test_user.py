"""install.sh --user: an ordinary user, from the vendor's archive, without any network."""

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.events.shown import NEWEST
from tests.install.archive import changed
from tests.install.scripts import AS_NOBODY, OFFLINE, SHELLS, environment, home_of_nobody, run, shell
from tests.install.trees import tree
from tests.leftovers import remove
from tests.parts import NOBODY

EACH_SHELL = [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS]
pytestmark = pytest.mark.needs("user", "unshare")


@pytest.fixture
def home() -> Iterator[Path]:
    place = home_of_nobody()
    yield place
    remove(place)


def install(
    bundle: Path,
    home: Path,
    *words: str,
    by: str = "dash",
    script: str = "install.sh",
    terminal: bool = False,
) -> tuple[int, str, str]:
    command = [*OFFLINE, *AS_NOBODY, *shell(by), f"{bundle}/install/{script}", *words]
    if terminal:  # where both outputs are one
        command = ["script", "-qec", shlex.join(command), "/dev/null"]
    done = run(*command, environ=environment(home))
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("by", EACH_SHELL)
def test_it_comes_and_goes_without_a_trace(bundle: Path, home: Path, by: str) -> None:
    words = ["--user", "--product", "Acme Board's #1", "--endpoint", "http://127.0.0.1:9"]
    code, out, said = install(bundle, home, *words, "--", "sh", "-c", "echo the product; exit 3", by=by)
    assert (code, out) == (3, "the product\n"), said
    name = "rollcall-acme-board-s-1"
    command = home / f".local/bin/{name}"
    done = run(*AS_NOBODY, command, "status", "--json", environ=environment(home))
    status = json.loads(done.stdout)
    assert (status["sending"], status["endpoint"]) == (True, "http://127.0.0.1:9")
    assert status["stateDir"] == f"{home}/.local/state/{name}"
    assert "Acme Board's #1" in run(*AS_NOBODY, command, "preview", environ=environment(home)).stdout
    assert not (home / f".local/share/{name}/current/tmp").exists()
    env_file = home / f".config/{name}/docker.env"
    assert env_file.stat().st_mode & 0o777 == 0o600

    code, out, said = install(bundle, home, *words, "--", "true", by=by)
    assert (code, out) == (0, "")
    assert "up to date" in said
    assert said.endswith(f"let your own service manager run: {command} daemon\n")

    code, out, said = install(home / f".local/share/{name}", home, by=by, script="uninstall.sh")
    assert (code, out) == (0, ""), said
    assert tree(home, "") == {}


def test_it_finds_what_is_beside_it_also_from_its_own_folder(bundle: Path, home: Path) -> None:
    """Where a path such as `./install.sh` does not name the folders above it."""
    enter = ["-c", 'cd "$1" && shift && exec "$@"', "sh"]
    for folder, script in (
        ("install", "./install.sh"),
        ("install", "install.sh"),
        ("install/lib", "../install.sh"),
    ):
        command = [*OFFLINE, *AS_NOBODY, *shell("dash"), *enter, f"{bundle}/{folder}", *shell("dash"), script]
        done = run(*command, "--user", "--", "echo", "the product", environ=environment(home))
        assert (done.returncode, done.stdout) == (0, "the product\n"), done.stderr
        assert "nothing is installed" not in done.stderr
        assert (home / ".local/bin/rollcall").exists()


def test_the_products_version_is_told_and_changes_with_an_upgrade(bundle: Path, home: Path) -> None:
    for usage, version in enumerate(("1.4.2", "1.5.0 rc 1"), 1):
        words = ["--user", "--product", "Acme", "--product-version", version, "--usage-version", str(usage)]
        code, _, said = install(bundle, home, *words, "--", "true")
        assert code == 0, said
        assert "new: " not in said, "nothing is new to a new installation, nor once it was shown"
        command = home / ".local/bin/rollcall-acme"
        shown = json.loads(run(*AS_NOBODY, command, "preview", environ=environment(home)).stdout)
        assert {event["context"]["app"]["version"] for event in shown if "app" in event["context"]} == {
            version
        }
        env_file = home / ".config/rollcall-acme/docker.env"
        assert f"\nROLLCALL_USAGE_VERSION={usage}\n" in env_file.read_text()
    code, _, said = install(bundle, home, "--user", "--product", "Acme", "--yes", script="uninstall.sh")
    assert (code, tree(home, "")) == (0, {}), said


def test_an_upgrade_shows_on_a_terminal_what_is_new_in_what_is_sent(bundle: Path, home: Path) -> None:
    assert install(bundle, home, "--user")[0] == 0
    assert run(*AS_NOBODY, home / ".local/bin/rollcall", "beat", environ=environment(home)).returncode == 0
    state = home / ".local/state/rollcall"
    (state / "catalogue-shown").unlink()  # as an older release left it
    for terminal, news in ((False, False), (True, True), (True, False)):
        code, out, said = install(bundle, home, "--user", terminal=terminal)
        assert (code, "new: context.installation.environment" in out + said) == (0, news), said
        assert (state / "catalogue-shown").exists() == terminal, "who upgrades unattended sees nothing"
    assert (state / "catalogue-shown").read_text() == f"{NEWEST}\n"


def test_a_no_outlives_an_uninstall_in_the_vendors_own_docker_env_too(bundle: Path, home: Path) -> None:
    theirs = home / "acme.env"
    theirs.write_text("DB_PASSWORD=x\n")
    theirs.chmod(0o600)
    os.chown(theirs, NOBODY, NOBODY)
    words = ["--user", "--env-file", str(theirs)]
    assert install(bundle, home, *words)[0] == 0
    run(*AS_NOBODY, home / ".local/bin/rollcall", "disable", environ=environment(home))
    assert "DISABLE_TELEMETRY=true" in theirs.read_text()
    code, _, said = install(home / ".local/share/rollcall", home, script="uninstall.sh")
    assert (code, "because it turns telemetry off" in said) == (0, True), said
    assert "telemetry is off" in install(bundle, home, "--user")[2]
    assert set(tree(home, "")) - {"/.config", "/.config/rollcall", "/.config/rollcall/docker.env"} == {
        "/acme.env"
    }


def test_an_upgrade_that_does_not_start_leaves_the_old_one(bundle: Path, home: Path) -> None:
    install(bundle, home, "--user")
    before = tree(home, "")
    broken = changed(bundle, "agent/cli.py", "raise SystemExit(1)\n")
    code, out, said = install(broken, home, "--user", "--", "echo", "the product")
    assert (code, out) == (0, "the product\n")
    assert "does not start, so the old one stays in use" in said
    assert link(home) == before["/.local/share/rollcall/current"]
    newer = changed(bundle, "agent/new.py", "# fine\n")
    wheel = next((newer / "wheels").glob("schedule-*.whl"))
    whole = wheel.read_bytes()
    wheel.write_bytes(whole + b"x")
    code, _, said = install(newer, home, "--user")
    assert code == 1
    assert "their hashes are wrong" in said
    assert link(home) == before["/.local/share/rollcall/current"]
    wheel.write_bytes(whole)
    code, _, said = install(newer, home, "--user")
    assert code == 0, said
    assert link(home) != before["/.local/share/rollcall/current"]
    assert len(list((home / ".local/share/rollcall").glob("env-*"))) == 1


def link(home: Path) -> str:
    return f"link {(home / '.local/share/rollcall/current').readlink()}"


def test_pip_itself_is_held_to_its_hash(bundle: Path, home: Path) -> None:
    damaged = changed(bundle, "agent/new.py", "# fine\n")
    with next((damaged / "wheels").glob("pip-*.whl")).open("ab") as file:
        file.write(b"x")
    code, out, said = install(damaged, home, "--user", "--", "echo", "the product")
    assert (code, out) == (0, "the product\n")
    assert "no pip with the right hash" in said


def test_a_file_that_is_not_as_it_was_packed_installs_nothing(bundle: Path, home: Path) -> None:
    damaged = changed(bundle, "agent/new.py", "# fine\n")
    sums = (damaged / "SHA256SUMS").read_bytes()
    for name, cut, first in (
        ("systemd/render", 100, "systemd/render"),
        ("wheels/requirements.lock", 100, "wheels/requirements.lock"),
        ("SHA256SUMS", 100, "SHA256SUMS"),
        ("SHA256SUMS", 0, "docker.env.example"),
        ("SHA256SUMS", sums.index(b"  systemd/") - 64, "systemd/render"),
    ):
        whole = (damaged / name).read_bytes()
        (damaged / name).write_bytes(whole[:cut])
        code, out, said = install(damaged, home, "--user", "--", "echo", "the product")
        assert (code, out) == (0, "the product\n")
        assert f"{first} is not as it was packed: unpack the archive again" in said
        (damaged / name).write_bytes(whole)
    assert tree(home, "") == {}
    (damaged / "docs/vendors.md").write_text("of the vendor's own\n")
    assert install(damaged, home, "--user")[0] == 0


def test_the_key_is_in_no_argument(bundle: Path, home: Path) -> None:
    key = home / "key"
    key.write_text("s3cret\n")
    key.chmod(0o644)
    trace = home / "trace"
    command = [*AS_NOBODY, "strace", "-f", "-qq", "-s", "9999", "-v", "-e", "trace=execve", "-o", str(trace)]
    done = run(
        *command, *shell("dash"), f"{bundle}/install/install.sh", "--user", "--write-key-file", "key",
        environ=environment(home),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept = home / ".config/rollcall/write-key"
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("s3cret\n", 0o600)
    assert "install.sh" in trace.read_text()
    assert "s3cret" not in trace.read_text()
