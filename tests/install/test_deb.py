"""The Debian package: built by Debian's tools, installed by apt on a small Debian under a real systemd."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.debian import debian_root
from tests.e2e.machine import Machine, booted
from tests.install.archive import copied_sources
from tests.install.scripts import INSTALL
from tests.wait import until

pytestmark = [
    pytest.mark.once,
    pytest.mark.timeout(600),
    pytest.mark.needs("root", "systemd", "mmdebstrap", "debhelper"),
]

BUILD_SECONDS = 200
APT_SECONDS = 200.0
FAST = "ROLLCALL_INTERVAL=1s\nROLLCALL_FIRST_DELAY=0\nROLLCALL_JITTER=0\n"
ENV = "/etc/rollcall/docker.env"
PLACES = ("/usr/share/rollcall", "/var/lib/rollcall", "/usr/bin/rollcall", "/usr/share/doc/rollcall")


def build(folder: Path, *options: str) -> Path:
    """Build the package from a copy of the sources in that folder."""
    sources = copied_sources(folder / "sources")
    command = [str(sources / "install/packaging/deb/make-deb"), "--output", str(folder), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=BUILD_SECONDS)
    return next(folder.glob("*.deb"))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("deb"))


@pytest.fixture
def debian() -> Iterator[Machine]:
    with booted(debian_root()) as machine:
        yield machine


def apt(machine: Machine, *words: str) -> str:
    command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "--no-install-recommends", *words]
    return machine.run(*command, timeout=APT_SECONDS)


def install(machine: Machine, package: Path) -> str:
    shutil.copy(package, machine.path(f"/var/{package.name}"))
    return apt(machine, "install", f"/var/{package.name}")


def status(machine: Machine) -> dict[str, object]:
    found: dict[str, object] = json.loads(machine.run("rollcall", "status", "--json").splitlines()[-1])
    return found


def test_lintian_finds_nothing(package: Path) -> None:
    command = ["lintian", "--pedantic", "--allow-root", "--fail-on", "error,warning,pedantic", str(package)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_its_page_has_no_marks_of_tests(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    page = (tmp_path / "usr/share/doc/rollcall/telemetry.md").read_text()
    assert "<!--" not in page
    assert "Everything carries a random id.\n" in page
    assert len(list(tmp_path.glob("usr/share/man/man[15]/*.gz"))) == 2


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("DO_NOT_TRACK", True),
        ("'DO_NOT_TRACK'=1", True),
        ("export X_DISABLE_TELEMETRY = yes", True),
        ("#DO_NOT_TRACK=1", False),
        ("A=b # DO_NOT_TRACK=1", False),
        ("ROLLCALL_PRODUCT=Acme", False),
    ],
)
def test_a_purge_leaves_every_refusal_and_no_key(tmp_path: Path, line: str, stays: bool) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "docker.env").write_text(f"# settings\n{line}\n")
    (folder / "write-key").write_text("key\n")
    script = (INSTALL / "packaging/deb/debian/rollcall.postrm").read_text()
    for place, ours in (("/etc/rollcall", folder), ("/var/lib/rollcall", tmp_path / "state")):
        script = script.replace(place, str(ours))
    subprocess.run(["sh", "-c", script, "postrm", "purge"], check=True)
    assert [path.name for path in folder.glob("*")] == ["docker.env"] * stays


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("ROLLCALL_USAGE_TELEMETRY=true", False),
        ("ROLLCALL_USAGE_TELEMETRY='true'", False),
        ("export ROLLCALL_USAGE_TELEMETRY = True", False),
        ("'ROLLCALL_USAGE_TELEMETRY'=TRUE", False),
        ("ROLLCALL_USAGE_TELEMETRY=false", True),
        ("#ROLLCALL_USAGE_TELEMETRY=true", True),
    ],
)
def test_to_be_asked_again_takes_back_a_yes_and_no_no(tmp_path: Path, line: str, stays: bool) -> None:
    """As `dpkg-reconfigure` does, also where nobody is asked; a link to the vendor's docker.env stays one."""
    theirs, link = tmp_path / "acme.env", tmp_path / "docker.env"
    theirs.write_text(f"A=1\n{line}\n")
    link.symlink_to(theirs)
    script = (INSTALL / "packaging/deb/debian/rollcall.postinst").read_text()
    functions = script[script.index("a_yes=") : script.index("# Whether docker.env")]
    code = f"{functions}\nrollcall() {{ :; }}\nfile={link}\nchange_file ask"
    subprocess.run(["sh", "-euc", code], check=True)
    assert theirs.read_text() == "A=1\n" + f"{line}\n" * stays
    assert link.is_symlink()


DEBCONF = 'db_set() { echo "$2"; }; db_get() { RET=ask; }; db_input() { :; }; db_go() { :; }'


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("DO_NOT_TRACK=1", "off"),
        ("DO_NOT_TRACK=1 # to allow it: DO_NOT_TRACK=0", "off"),
        ("X_DISABLE_TELEMETRY=yes # not X_DISABLE_TELEMETRY=", "off"),
        ("export X_DISABLE_TELEMETRY = 'true'", "off"),
        ("DO_NOT_TRACK", "off"),
        ("DO_NOT_TRACK=0 # not =1", "ask"),
        ("X_DISABLE_TELEMETRY = 'False'", "ask"),
        ("#DO_NOT_TRACK=1", "ask"),
        ("ROLLCALL_USAGE_TELEMETRY=true", "on"),
    ],
)
def test_what_docker_env_says_is_the_answer_that_is_offered(tmp_path: Path, line: str, answer: str) -> None:
    """Whoever reconfigures the package and changes nothing keeps a refusal, also where nobody is asked."""
    (tmp_path / "docker.env").write_text(f"# settings\n{line}\n")
    script = (INSTALL / "packaging/deb/debian/rollcall.config").read_text()
    script = script.replace(". /usr/share/debconf/confmodule", DEBCONF)
    script = script.replace("/etc/rollcall", str(tmp_path))
    command = ["sh", "-c", script, "config", "reconfigure", "0.1.0"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == f"{answer}\n"


def test_it_and_a_product_of_install_sh_live_side_by_side(
    debian: Machine, package: Path, bundle: Path
) -> None:
    shutil.copytree(bundle, debian.path("/var/archive"))
    run_install = ["/var/archive/install/install.sh", "--yes"]
    install(debian, package)
    debian.run(*run_install, "--product", "Acme Board")
    ids = set()
    for command in ("/usr/bin/rollcall", "/usr/local/bin/rollcall-acme-board"):
        assert debian.run("systemctl", "is-active", f"{Path(command).name}.service") == "active"
        debian.run(command, "beat")
        ids.add(json.loads(debian.run(command, "status", "--json").splitlines()[-1])["instanceId"])
    assert len(ids) == 2
    said = debian.run(*run_install, "--", "echo", "the product")
    assert "the Debian package rollcall is installed" in said
    assert said.splitlines()[-1] == "the product"
    said = debian.run("/var/archive/install/uninstall.sh", "--yes", "--purge", check=False)
    assert "to remove it: apt-get purge rollcall" in said
    assert status(debian)["instanceId"] in ids
    debian.run("/opt/rollcall-acme-board/install/uninstall.sh", "--yes")
    assert debian.run("systemctl", "is-active", "rollcall.service") == "active"

    apt(debian, "purge", "rollcall")
    debian.run(*run_install)
    said = debian.run("dpkg", "-i", f"/var/{package.name}", check=False)
    assert "first run: /opt/rollcall/install/uninstall.sh" in said
    assert debian.run("systemctl", "is-active", "rollcall.service") == "active"
    assert not debian.path("/usr/bin/rollcall").exists()


def test_it_beats_is_upgraded_and_leaves_nothing(debian: Machine, package: Path, tmp_path: Path) -> None:
    old = build(tmp_path, "--version", "0.0.9")
    install(debian, old)
    assert debian.run("systemctl", "is-active", "rollcall.service", "rollcall-env.path") == "active\nactive"
    assert debian.run("systemctl", "is-enabled", "rollcall.service") == "enabled"
    assert status(debian)["sending"]
    with debian.path(ENV).open("a") as file:
        file.write(FAST)
    instance = until(lambda: status(debian)["instanceId"], why="an edit takes effect, and it beats")
    assert debian.run("rollcall", "wrap", "--", "echo", "hello").splitlines()[-1] == "hello"

    debian.run("rollcall", "disable")
    install(debian, package)
    assert not status(debian)["sending"], "an upgrade keeps the refusal"
    assert debian.run("systemctl", "is-active", "rollcall.service") == "active"
    debian.run("rollcall", "enable")
    assert status(debian)["instanceId"] == instance, "and the id"

    shown = debian.path("/var/lib/rollcall/catalogue-shown")
    dpkg = f"dpkg -i /var/{package.name}"
    on_a_terminal = "script", "-qec", dpkg, "/dev/null"
    for frontend, command, news in (
        ("noninteractive", on_a_terminal, False),
        ("teletype", ("sh", "-c", f"{dpkg} 2>&1 | cat"), False),
        ("teletype", on_a_terminal, True),
    ):
        shown.unlink(missing_ok=True)  # as an older version left it
        said = debian.run("env", f"DEBIAN_FRONTEND={frontend}", *command)
        assert ("rollcall: new: " in said, shown.exists()) == (news, news)

    apt(debian, "purge", "rollcall")
    assert [place for place in (*PLACES, "/etc/rollcall") if debian.path(place).exists()] == []


def test_a_preseeded_refusal_silences_from_the_first_second_and_outlives_a_purge(
    debian: Machine, package: Path
) -> None:
    answer = "rollcall rollcall/telemetry select off"
    debian.run("sh", "-c", f"echo {answer} | debconf-set-selections")
    install(debian, package)
    assert debian.run("systemctl", "is-active", "rollcall.service") == "active"
    assert "silent" in debian.show("rollcall.service", "StatusText")
    assert "rollcall: sending" not in debian.journal("rollcall.service")
    assert list(debian.path("/var/lib/rollcall").iterdir()) == []
    apt(debian, "purge", "rollcall")
    assert [place for place in PLACES if debian.path(place).exists()] == []
    assert "\nROLLCALL_DISABLE_TELEMETRY=true\n" in debian.path(ENV).read_text()

    install(debian, package)
    assert not status(debian)["sending"], "it was found again"
    reconfigure = "echo rollcall rollcall/telemetry select on | debconf-set-selections; rollcall enable"
    debian.run("sh", "-c", reconfigure)
    until(lambda: status(debian)["sending"], why="the file is the operator's")
    apt(debian, "purge", "rollcall")
    assert not debian.path("/etc/rollcall").exists()


def test_a_preseeded_refusal_counts_where_docker_env_came_before_the_package(
    debian: Machine, package: Path
) -> None:
    settings = "ROLLCALL_ENDPOINT=http://127.0.0.1:9\nROLLCALL_USAGE_TELEMETRY=true\n"
    debian.path(ENV).parent.mkdir()
    debian.path(ENV).write_text(settings)
    debian.path(ENV).chmod(0o600)
    answer = "rollcall rollcall/telemetry select off"
    debian.run("sh", "-c", f"echo {answer} | debconf-set-selections")
    install(debian, package)
    assert not status(debian)["sending"]
    assert debian.path(ENV).read_text() == f"{settings}ROLLCALL_DISABLE_TELEMETRY=true\n"
    assert "rollcall: sending" not in debian.journal("rollcall.service")
