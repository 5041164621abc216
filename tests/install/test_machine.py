"""install.sh and uninstall.sh as root on a machine with a real systemd, and no network at all."""

import json
from pathlib import Path

import pytest

from tests.e2e.machine import Machine
from tests.install import shims
from tests.install.archive import changed
from tests.install.server import PLACE, Server
from tests.install.trees import tree
from tests.wait import PATIENCE, until

TWO_SHELLS = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("dash", "busybox")]

pytestmark = pytest.mark.needs("root", "systemd")


@pytest.mark.parametrize("shell", TWO_SHELLS)
def test_an_installation_comes_is_upgraded_and_goes(machine: Machine, bundle: Path, shell: str) -> None:
    server = Server(machine, bundle, shell)
    before = server.tree()
    machine.path("/run/key").write_text("s3cret\n")
    words = ["--endpoint", "http://127.0.0.1:9", "--write-key-file", "/run/key"]
    said = server.install(*words, "--", "sh", "-c", "echo the product; umask; env | sort > /run/env")
    assert "the product\n0022" in said
    assert not {"ROLLCALL", "XDG_"} & {line[:8] for line in machine.path("/run/env").read_text().splitlines()}
    machine.path("/run/env").unlink()
    assert server.active("rollcall") == "active"
    assert server.mode("/etc/rollcall/docker.env") == server.mode("/etc/rollcall/write-key") == "600 root"
    assert server.mode("/var/lib/rollcall") == "750 rollcall"
    assert "s3cret" not in machine.path("/etc/rollcall/docker.env").read_text()
    until(lambda: "Installation Success" in server.events("rollcall"), why="the run is in the log")
    status, pid, whole = server.status("rollcall"), server.pid("rollcall"), server.tree()
    assert status["sending"] is True
    assert status["endpoint"] == "http://127.0.0.1:9"

    again = server.install()
    assert "up to date" in again
    assert server.pid("rollcall") == pid
    assert interesting(server.tree()) == interesting(whole)
    units = ["rollcall.service", "rollcall-env.path", "rollcall-env.service"]
    assert {machine.show(unit, "NeedDaemonReload") for unit in units} == {"no"}

    server.replace_archive(changed(bundle, "agent/added.py", "# a new version\n"))
    assert "making a private environment" in server.install("--", "true")
    assert server.pid("rollcall") != pid
    assert machine.path("/opt/rollcall/current").readlink() != Path(link_of(whole))
    upgraded = server.status("rollcall")
    assert (upgraded["instanceId"], upgraded["endpoint"]) == (status["instanceId"], status["endpoint"])
    assert len(list(machine.path("/opt/rollcall").glob("env-*"))) == 1

    unit = machine.path("/etc/systemd/system/rollcall.service")
    assert "a unit was edited" not in machine.run("/usr/local/bin/rollcall", "doctor", check=False)
    unit.write_text(unit.read_text() + "# mine\n")
    assert "a unit was edited" in machine.run("/usr/local/bin/rollcall", "doctor", check=False)

    server.uninstall()
    assert server.tree() == before
    assert "rollcall" not in machine.run("systemctl", "list-units", "--all", "rollcall*", "--no-legend")


def interesting(found: dict[str, str]) -> dict[str, str]:
    """A tree without what the service itself writes as it goes."""
    return {path: what for path, what in found.items() if not path.startswith("/var/lib/rollcall/")}


def link_of(found: dict[str, str]) -> str:
    return found["/opt/rollcall/current"].partition(" ")[2]


def test_its_user_goes_too_where_root_came_by_su(machine: Machine, bundle: Path) -> None:
    """Debian's `su` without a dash keeps an ordinary user's PATH, which has no userdel."""
    server = Server(machine, bundle)
    before = server.tree()
    server.install()
    words = [*server.shell, f"{PLACE}/install/uninstall.sh", "--yes"]
    said = machine.run("env", "PATH=/usr/local/bin:/usr/bin:/bin", *words)
    assert "could not remove" not in said
    assert server.tree() == before


def test_an_upgrade_that_does_not_start_goes_back(machine: Machine, bundle: Path) -> None:
    server = Server(machine, bundle)
    server.install()
    before, pid = server.tree()["/opt/rollcall/current"], server.pid("rollcall")
    server.replace_archive(
        changed(bundle, "agent/heartbeat/daemon.py", "raise SystemExit('broken on purpose')\n")
    )
    said = server.install("--", "true")
    assert "going back" in said
    assert server.active("rollcall") == "active"
    assert server.pid("rollcall") != pid
    assert server.tree()["/opt/rollcall/current"] == before
    assert len(list(machine.path("/opt/rollcall").glob("env-*"))) == 1
    server.replace_archive(changed(bundle, "agent/cli.py", "raise SystemExit('broken on purpose')\n"))
    pid = server.pid("rollcall")
    said = server.install("--", "sh", "-c", "echo product; exit 7", check=False)
    assert "product" in said
    assert (server.active("rollcall"), server.pid("rollcall")) == ("active", pid)
    assert server.tree()["/opt/rollcall/current"] == before


def test_two_products_share_nothing(machine: Machine, bundle: Path) -> None:
    server = Server(machine, bundle)
    empty = server.tree()
    server.install("--product", "Acme Board", "--", "true")
    one = server.tree()
    pid = server.pid("rollcall-acme-board")
    server.install("--product", "Other Thing", "--endpoint", "http://127.0.0.1:9", "--", "true")
    ids = {server.status(name)["instanceId"] for name in ("rollcall-acme-board", "rollcall-other-thing")}
    assert len(ids) == 2
    assert server.status("rollcall-acme-board")["endpoint"] is None
    server.uninstall("--product", "rollcall-other-thing")
    assert interesting_of(server.tree(), "rollcall-acme-board") == interesting_of(one, "rollcall-acme-board")
    assert (server.active("rollcall-acme-board"), server.pid("rollcall-acme-board")) == ("active", pid)
    machine.run("/opt/rollcall-acme-board/install/uninstall.sh")
    assert server.tree() == empty


def interesting_of(found: dict[str, str], name: str) -> dict[str, str]:
    return {path: what for path, what in found.items() if not path.startswith(f"/var/lib/{name}/")}


def test_a_refusal_outlives_an_uninstall_and_silences_the_next_installation(
    machine: Machine, bundle: Path
) -> None:
    server = Server(machine, bundle)
    before = server.tree()
    server.install()
    machine.run("/usr/local/bin/rollcall", "disable")
    assert "kept: /etc/rollcall/docker.env" in server.uninstall()
    refused = server.tree()
    assert set(refused) - set(before) == {"/etc/rollcall", "/etc/rollcall/docker.env"}
    said = server.install("--", "sh", "-c", "echo alone; exit 5", check=False)
    assert said == "alone"
    assert server.tree() == refused
    server.uninstall("--purge")
    assert server.tree() == before
    server.install()
    assert server.status("rollcall")["sending"] is True


def test_what_the_docs_install_by_hand_is_removed_too(machine: Machine, bundle: Path) -> None:
    server = Server(machine, bundle)
    before = server.tree()
    page = (bundle / "docs/operations.md").read_text()
    first, commands = (
        page.partition("```sh\n")[2].partition("```")[0].replace("NAME", "rollcall").split("\n", 1)
    )
    assert first == "python3 -m venv /opt/rollcall && /opt/rollcall/bin/pip install ."
    pip = "python -I $(echo wheels/pip-*.whl)/pip --quiet install --no-index --find-links wheels"
    venv = "python3 -m venv --without-pip /opt/rollcall"
    offline = f"{venv}; /opt/rollcall/bin/{pip} rollcall-telemetry"
    machine.run("sh", "-c", f"set -e; cd {PLACE}; {offline}\n{commands}")
    assert server.active("rollcall") == "active"
    assert server.status("rollcall")["sending"] is True
    server.uninstall()
    assert server.tree() == before


def test_a_command_that_fails_starts_no_service(machine: Machine, bundle: Path) -> None:
    server = Server(machine, bundle)
    process = machine.start(*server.shell, f"{PLACE}/install/install.sh", "--", "sh", "-c", "exit 42")
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 42, output
    assert server.active("rollcall") == "inactive"
    until(lambda: "Installation Errors" in server.events("rollcall"), why="the run is in the log")
    assert server.install("--", "true")
    assert server.active("rollcall") == "active"


def test_a_command_may_remove_the_archive(machine: Machine, bundle: Path) -> None:
    """As a vendor's installer does that was unpacked for this moment."""
    server = Server(machine, bundle)
    assert "the heartbeat is running" in server.install("--", "rm", "-r", PLACE)
    assert server.active("rollcall") == "active"
    assert not machine.path(PLACE).exists()
    machine.run("/opt/rollcall/install/uninstall.sh", "--yes")
    assert not machine.path("/opt/rollcall").exists()


def test_the_vendors_own_docker_env_is_pointed_at(machine: Machine, bundle: Path) -> None:
    server = Server(machine, bundle)
    before = server.tree()
    theirs = machine.path("/srv/acme.env")
    theirs.write_text("DB_PASSWORD=hush\nROLLCALL_ENDPOINT=http://127.0.0.1:9\n")
    theirs.chmod(0o600)
    server.install("--env-file", "/srv/acme.env", "--", "true")
    assert server.status("rollcall")["endpoint"] == "http://127.0.0.1:9"
    assert theirs.read_text() == "DB_PASSWORD=hush\nROLLCALL_ENDPOINT=http://127.0.0.1:9\n"
    theirs.write_text("DB_PASSWORD=hush\nACME_DISABLE_TELEMETRY=true\n")
    until(
        lambda: "silent" in machine.show("rollcall.service", "StatusText").lower(),
        why="an edit there is heeded",
    )
    theirs.write_text("DB_PASSWORD=hush\n")
    until(lambda: "silent" not in machine.show("rollcall.service", "StatusText").lower(), why="and its end")
    server.uninstall()
    theirs.unlink()
    assert server.tree() == before


def test_a_user_has_a_service_of_their_own(machine: Machine, bundle: Path) -> None:
    server = Server(machine, bundle)
    machine.run("useradd", "--create-home", "--home-dir", "/home/some öne", "--uid", "1234", "someone")
    machine.path("/run/user/1234").mkdir(parents=True)
    machine.run("chown", "someone", "/run/user/1234")
    machine.run("systemctl", "start", "user@1234.service")
    home = "/home/some öne"  # to be quoted in a script and in a unit
    before = tree(machine.path(""), home)

    def as_user(*words: str) -> str:
        environ = [f"HOME={home}", "XDG_RUNTIME_DIR=/run/user/1234", "PATH=/usr/bin:/bin"]
        return machine.run("setpriv", "--reuid=1234", "--clear-groups", "env", "-i", *environ, *words)

    said = as_user(*server.shell, f"{PLACE}/install/install.sh", "--user", "--", "echo", "the product")
    assert "the product" in said
    assert as_user("systemctl", "--user", "is-active", "rollcall.service") == "active"
    status = json.loads(as_user(f"{home}/.local/bin/rollcall", "status", "--json").splitlines()[-1])
    assert status["stateDir"] == f"{home}/.local/state/rollcall"
    as_user(f"{home}/.local/share/rollcall/install/uninstall.sh")
    assert not machine.path("/etc/rollcall").exists()
    left = {
        path: what for path, what in tree(machine.path(""), home).items() if "/.config/systemd" not in path
    }
    assert left.keys() - {f"{home}/.config"} == before.keys()


def test_the_operators_umask_and_pip_settings_are_not_the_services(machine: Machine, bundle: Path) -> None:
    server = Server(machine, bundle)
    settings = machine.path("/etc/pip.conf")
    settings.write_text("[install]\nuser = yes\n[global]\nno-binary = :all:\n")
    install = f"umask 077; exec {PLACE}/install/install.sh -- sh -c umask"
    assert "\n0077\n" in machine.run(*server.shell, "-c", install)
    settings.unlink()
    assert server.active("rollcall") == "active"
    assert server.mode("/etc/rollcall/docker.env") == "600 root"


@pytest.mark.parametrize(
    ("options", "message"), [("ro", "Read-only file system"), ("size=3m", "could not be installed")]
)
def test_a_disk_that_takes_nothing_is_in_nobodys_way(
    machine: Machine, bundle: Path, options: str, message: str
) -> None:
    server = Server(machine, bundle)
    before = server.tree()
    code = f'mount -t tmpfs -o {options} disk /opt; "$@"; code=$?; ls -A /opt/rollcall; exit $code'
    words = [f"{PLACE}/install/install.sh", "--", "sh", "-c", "echo the product; exit 6"]
    process = machine.start("unshare", "--mount", "sh", "-c", code, "sh", *words)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 6, said
    assert message in said
    assert "nothing was installed\nthe product\n" in said
    assert "env-" not in said.partition("the product")[2]
    assert server.tree() == before


@pytest.mark.timeout(1200)
def test_an_installation_that_was_killed_is_mended_by_the_next(
    machine: Machine, bundle: Path, slow: bool
) -> None:
    """Of root's steps: the user, the state directory, the units, the service."""
    server = Server(machine, bundle)
    before = server.tree()
    place = machine.path("/run/shims")
    place.mkdir()
    shims.laid(place, shims.END, inside="/run/shims")

    def killed(at: int | str) -> int:
        """Install until the n-th step, or one by this program; how many steps were taken."""
        shims.reset(place)
        path = "PATH=/run/shims:/usr/sbin:/usr/bin:/sbin:/bin"
        install = f"{PLACE}/install/install.sh"
        words = ["setsid", "--wait", "env", path, f"END_AT={at}", "END_BY=KILL", *server.shell, install]
        process = machine.start(*words, "--", "true")
        process.communicate(timeout=PATIENCE)
        return shims.steps(place)

    for at in range(1, killed("none") + 1) if slow else ("chown", "systemctl"):
        server.uninstall()
        killed(at)
        if at != "systemctl":
            server.install()
            assert server.active("rollcall") == "active"
            assert server.mode("/var/lib/rollcall") == "750 rollcall"
            assert len(list(machine.path("/opt/rollcall").glob("env-*"))) == 1
            killed(at)
        server.uninstall()
        assert server.tree() == before
