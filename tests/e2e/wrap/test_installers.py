"""Installers and prompts that others wrote, wrapped and bare: the same outcome.

dpkg works below a folder of its own (`--root`, scripts run without chroot), so that the machine
stays as it is; its scripts tell by DPKG_ROOT where that is.
"""

import json
import re
import subprocess
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import environ
from tests.e2e.wrap.shell import PROMPT, Shell, told_before
from tests.e2e.wrap.side_by_side import WRAP, Ending, Sides

MAINTAINER_SCRIPT = """#!/bin/sh
set -e
echo "{name} $*"
echo "{name} $*" >>"$DPKG_ROOT/{name}.ran"
test -z "$FAILS" || exit 9
"""


def plain(ending: Ending) -> tuple[int, list[str], list[str], list[str]]:
    """Without times and what else differs from run to run by itself."""
    out, err = (
        re.sub(rb"\d+(\.\d+)? ?m?s\b|\d{4}-\d\d-\d\d.*?Z|_logs/.*", b"N", text)
        for text in (ending.out, ending.err)
    )
    files = sorted(f"{name} {mode:o}" for name, mode, _ in ending.files if not UNSTABLE.search(name))
    return ending.code, out.decode().splitlines(), err.decode().splitlines(), files


UNSTABLE = re.compile(r"\.pyc$|_logs/|_cacache/|\.log$|_update-notifier")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package whose maintainer scripts say that they ran."""
    tree = tmp_path / "package"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "opt").mkdir()
    (tree / "opt/thing").write_text("thing\n")
    fields = (
        "Package: thing\nVersion: 1\nArchitecture: all\nMaintainer: me <me@example.org>\nDescription: thing\n"
    )
    (tree / "DEBIAN/control").write_text(fields)
    for name in ("preinst", "postinst", "prerm"):
        (tree / "DEBIAN" / name).write_text(MAINTAINER_SCRIPT.format(name=name))
        (tree / "DEBIAN" / name).chmod(0o755)
    return build(tree, tmp_path / "thing.deb")


def build(tree: Path, package: Path) -> Path:
    tree.chmod(0o755)
    (tree / "DEBIAN").chmod(0o755)
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", tree, package], check=True, capture_output=True
    )
    return package


DPKG = """
set -e
mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/lib/dpkg/alternatives
touch root/var/lib/dpkg/status root/var/lib/dpkg/available
dpkg="dpkg --root=$PWD/root --force-script-chrootless --force-not-root --force-depends --log=/dev/null"
$dpkg -i "$1"
dpkg --root="$PWD/root" -l | tail -n 1
$dpkg -r "$2"
"""


@pytest.mark.needs("dpkg", "root")
@pytest.mark.parametrize("fails", ["", "1"])
def test_dpkg_runs_a_packages_own_scripts(sides: Sides, package: Path, fails: str) -> None:
    argv = ["sh", "-c", DPKG, "x", str(package), "thing"]
    env = sides.environment(FAILS=fails)
    bare = sides.bare(argv, env=env)
    assert plain(sides.wrapped(argv, env=env)) == plain(bare)
    assert (bare.code == 0) is (not fails)
    assert b"preinst install" in bare.out
    assert fails or b"postinst configure" in bare.out


@pytest.mark.needs("dpkg", "root")
def test_dpkg_runs_the_scripts_of_a_debian_package(sides: Sides) -> None:
    """mawk's: every Debian has it, and its scripts set alternatives."""
    tree = sides.base / "mawk"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/mawk").write_text("#!/bin/true\n")
    (tree / "usr/bin/mawk").chmod(0o755)
    for name in ("postinst", "prerm"):
        script = Path(f"/var/lib/dpkg/info/mawk.{name}").read_text()
        (tree / "DEBIAN" / name).write_text(script)
        (tree / "DEBIAN" / name).chmod(0o755)
    fields = (
        "Package: mawk\nVersion: 1\nArchitecture: all\nMaintainer: me <me@example.org>\nDescription: awk\n"
    )
    (tree / "DEBIAN/control").write_text(fields)
    argv = ["sh", "-c", DPKG, "x", str(build(tree, sides.base / "mawk.deb")), "mawk"]
    bare = sides.bare(argv)
    assert plain(sides.wrapped(argv)) == plain(bare)
    assert bare.code == 0, bare
    assert b"update-alternatives: using" in bare.out + bare.err


def test_ensurepip_fills_an_environment(sides: Sides) -> None:
    def run(wrap: list[str]) -> tuple[int, list[str], list[str]]:
        place = sides.base / f"venv-{len(wrap)}"
        venv.create(place, with_pip=False, symlinks=True)
        argv = [*wrap, str(place / "bin/python"), "-m", "ensurepip"]
        env = sides.environment(PYTHONDONTWRITEBYTECODE="1")
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=200)
        told = [line for line in done.stdout.replace(str(place), "PLACE").splitlines() if line]
        made = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.suffix != ".pyc")
        return done.returncode, [re.sub(r"/tmp/\S+", "TMP", line) for line in told], made

    with ThreadPoolExecutor() as both:
        bare = both.submit(run, [])
        assert run([*WRAP, "--"]) == bare.result()
    assert bare.result()[0] == 0
    assert any(name.endswith("bin/pip") or name == "bin/pip3" for name in bare.result()[2])


POSTINSTALL = "console.log('post', process.stdout.isTTY); require('fs').writeFileSync('made', 'x');"


@pytest.mark.needs("node")
@pytest.mark.parametrize("code", [0, 3])
def test_npm_runs_a_postinstall(sides: Sides, code: int) -> None:
    script = POSTINSTALL + f"process.exit({code})"
    package = {"name": "x", "version": "1.0.0", "scripts": {"postinstall": "node post.js"}}
    files = {"package.json": json.dumps(package).encode(), "post.js": script.encode()}
    argv = ["npm", "install", "--offline", "--no-audit", "--no-fund", "--foreground-scripts"]
    env = sides.environment(npm_config_update_notifier="false", npm_config_cache=str(sides.base / "npm"))
    bare = sides.bare(argv, env=env, files=files)
    assert plain(sides.wrapped(argv, env=env, files=files)) == plain(bare)
    assert bare.code == code
    assert b"post undefined" in bare.out
    assert "made" in [name for name, _, _ in bare.files]


Steps = list[tuple[str, str]]


def play(place: Path, wrap: str, steps: Steps, **more: str) -> str:
    """The screen of a person who starts `w COMMAND` and answers its prompts."""
    (place / "bin").mkdir(parents=True, exist_ok=True)
    (place / "bin/w").write_text(f'#!/bin/sh\nexec {wrap} "$@"\n')
    (place / "bin/w").chmod(0o755)
    (place / "state").mkdir(exist_ok=True)
    told_before(place / "state")
    environment = environ.bare(place, ROLLCALL_STATE_DIR=str(place / "state"), **more)
    environment["PATH"] = f"{place}/bin:{environment['PATH']}"
    with Shell(environment, str(place)) as shell:
        for typed, shown in [*steps, ("echo status:$?\n", PROMPT), ("stty -a | grep -o '.echo '\n", PROMPT)]:
            if typed == "\x03":
                shell.settle()
            shell.type(typed)
            if shown == PROMPT and typed.startswith(("echo", "stty")):
                shell.expect("\n")
            shell.expect(shown)
        lines = shell.transcript.replace(str(place), "PLACE").split("\n")
    return "\n".join(line for line in lines if "reports this installation" not in line)


def same_screen(base: Path, steps: Steps, **more: str) -> str:
    """Wrapped and bare at once; what both showed."""
    with ThreadPoolExecutor() as both:
        bare = both.submit(play, base / "bare", "env --", steps, **more)
        wrapped = play(base / "wrapped", " ".join((*WRAP, "--")), steps, **more)
    assert wrapped == bare.result()
    return wrapped


TEMPLATES = """Template: thing/port
Type: string
Default: 80
Description: Which port?
 The port to listen on.

Template: thing/secret
Type: password
Description: Which password?

Template: thing/sure
Type: boolean
Default: false
Description: Really?
"""
ASKS = """#!/bin/sh
set -e
. /usr/share/debconf/confmodule
db_x_loadtemplatefile "$PWD/thing.templates" thing
db_input high thing/port || true
db_input high thing/secret || true
db_input high thing/sure || true
db_go
db_get thing/port
echo "port $RET" >&3
db_get thing/secret
echo "secret $RET" >&3
"""


@pytest.mark.needs("debconf")
def test_debconf_asks_on_the_terminal(tmp_path: Path) -> None:
    for side in ("bare", "wrapped"):
        place = tmp_path / side
        place.mkdir()
        (place / "thing.config").write_text(ASKS.replace(">&3", ">>answers"))
        (place / "thing.config").chmod(0o755)
        (place / "thing.templates").write_text(TEMPLATES)
        (place / "debconf.conf").write_text(
            f"Config: all\nTemplates: templates\n\nName: all\nDriver: File\nFilename: {place}/config.dat\n\n"
            f"Name: templates\nDriver: File\nFilename: {place}/templates.dat\n"
        )
    steps: Steps = [
        ("export DEBCONF_SYSTEMRC=$PWD/debconf.conf DEBIAN_FRONTEND=readline\n", PROMPT),
        ("w debconf -plow -othing ./thing.config\n", "Which port?"),
        ("8080\n", "Which password?"),
        ("geheim\n", "Really?"),
        ("yes\n", PROMPT),
    ]
    shown = same_screen(tmp_path, steps)
    assert "geheim" not in shown
    for side in ("bare", "wrapped"):
        assert (tmp_path / side / "answers").read_text() == "port 8080\nsecret geheim\n"


@pytest.mark.needs("sudo", "user")
@pytest.mark.parametrize("answer", ["\x03", "wrong\n\x03"])
def test_sudo_asks_on_the_terminal(tmp_path: Path, answer: str) -> None:
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    steps: Steps = [(f"w {nobody} sudo -k id\n", "password for nobody")]
    if answer != "\x03":
        steps.append(("wrong\n", "try again"))
        steps.append(("", "password for nobody"))
    shown = same_screen(tmp_path, [*steps, ("\x03", PROMPT)])
    assert "wrong" not in shown
    assert "status:1\n" in shown


SSHD = "mount -t tmpfs none /run && mkdir /run/sshd && exec {sshd} -i -f /dev/null -h {key} 2>/dev/null"


@pytest.mark.needs("ssh", "unshare")
def test_ssh_asks_on_the_terminal(tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "sshd").write_text("#!/bin/sh\n" + SSHD.format(sshd="/usr/sbin/sshd", key=key) + "\n")
    (tmp_path / "sshd").chmod(0o755)
    proxy = f"unshare --mount --propagation private {tmp_path}/sshd"
    ssh = f"w ssh -F /dev/null -o UserKnownHostsFile=known -o 'ProxyCommand={proxy}' host true\n"
    shown = same_screen(tmp_path, [(ssh, "yes/no"), ("maybe\n", "Please type"), ("no\n", PROMPT)])
    assert "Host key verification failed." in shown
    assert "status:N\n" in shown


@pytest.mark.needs("ssh")
def test_a_passphrase_is_asked_for_on_the_terminal(tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "geheim", "-f", key], check=True)
    shown = same_screen(
        tmp_path,
        [(f"w ssh-keygen -y -f {key}\n", "Enter passphrase"), ("geheim\n", "ssh-ed25519 "), ("", PROMPT)],
    )
    assert "geheim" not in shown
    assert "status:0\n" in shown
