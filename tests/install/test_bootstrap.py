"""bootstrap.sh, pasted on top of an installer that is one file, as `curl … | sh` runs it."""

import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.deadends import BlackHole, unused_port
from tests.install import test_flag, test_silent
from tests.install.scripts import INSTALL, SHELLS, environment, shell, small_tools
from tests.install.trees import tree
from tests.wait import PATIENCE

BOOTSTRAP = (INSTALL / "bootstrap.sh").read_text()
FUNCTIONS, _, LAST_LINE = BOOTSTRAP.rstrip().rpartition("\n")
INSTALLER = 'printf "plain %s\\n" "$*"\nexit 7\n'
SETUP = '#!/bin/sh\nprintf "set up %s\\n" "$*"\ncat >"$HOME/typed"\nexit 9\n'
RUNS = '#!/bin/sh\n[ "$1" = --help ]\n'
LOOK = (
    FUNCTIONS
    + f"""
for place in "$@"; do
    cd "$place" || exit 3
    if rollcall_is_off {test_flag.NAME}; then echo silent; else echo sends; fi
done
"""
)
pytestmark = pytest.mark.once
EACH_SHELL = [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS]


class Shop(http.server.ThreadingHTTPServer):
    """A vendor's web server with an archive, and each request that it got."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.folder = folder
        super().__init__(("127.0.0.1", 0), functools.partial(Counter, directory=str(folder)))

    @property
    def archive(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/acme.tar.gz"

    @property
    def checksum(self) -> str:
        return hashlib.sha256((self.folder / "acme.tar.gz").read_bytes()).hexdigest()


class Counter(http.server.SimpleHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    stage = tmp_path / "stage"
    (stage / "rollcall/install").mkdir(parents=True)
    for name, text in (("setup.sh", SETUP), ("rollcall/install/install.sh", RUNS)):
        (stage / name).write_text(text)
        (stage / name).chmod(0o755)
    (tmp_path / "shop").mkdir()
    with tarfile.open(tmp_path / "shop/acme.tar.gz", "w:gz") as archive:
        archive.add(stage, ".")
    with Shop(tmp_path / "shop") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home/tmp").mkdir(parents=True)
    return tmp_path / "home"


def script(url: str, checksum: str) -> str:
    """The vendor's one file."""
    edited = re.sub(r"https://\S+ \S+ ", f"{url} {checksum} ", LAST_LINE)
    assert edited != LAST_LINE
    return f"{FUNCTIONS}\n{edited}\n{INSTALLER}"


def piped(home: Path, by: str, text: str, *tracer: str, **more: str) -> tuple[int, str, str]:
    """How it ends when its text comes through a pipe."""
    environ = environment(home, TMPDIR=f"{home}/tmp", **more)
    command = [*tracer, *shell(by), "-s", "one", "two words"]
    done = subprocess.run(
        command,
        input=text,
        env=environ,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


PLAIN = (7, "plain one two words\n")


@pytest.mark.parametrize("by", EACH_SHELL)
@pytest.mark.parametrize("getter", [pytest.param("curl", marks=pytest.mark.needs("curl")), "wget"])
def test_the_archive_is_fetched_once_and_its_setup_ends_the_script(
    shop: Shop, home: Path, by: str, getter: str
) -> None:
    more = {} if getter == "curl" else {"PATH": only(home.parent, "wget")}
    code, out, err = piped(home, by, script(shop.archive, shop.checksum), **more)
    assert (code, out, err) == (9, "set up one two words\n", "")
    assert shop.asked == ["/acme.tar.gz"]
    assert list((home / "tmp").iterdir()) == []


@pytest.mark.needs("busybox")
def test_a_machine_that_has_only_busybox_will_do(shop: Shop, home: Path) -> None:
    tools = str(small_tools(home.parent))
    code, out, _ = piped(home, "busybox", script(shop.archive, shop.checksum), PATH=tools)
    assert (code, out) == (9, "set up one two words\n")
    assert shop.asked == ["/acme.tar.gz"]


def only(folder: Path, *getters: str, without: tuple[str, ...] = ()) -> str:
    """A PATH with the usual programs, and of those that download only these."""
    place = folder / "programs"
    place.mkdir()
    for directory in ("/bin", "/usr/bin"):
        for program in Path(directory).iterdir():
            name = program.name
            if name not in without and (name not in ("curl", "wget") or name in getters):
                place.joinpath(name).unlink(missing_ok=True)
                place.joinpath(name).symlink_to(program)
    return str(place)


@pytest.mark.needs("curl")
@pytest.mark.parametrize("by", EACH_SHELL)
def test_in_doubt_about_the_archive_the_installer_runs_plainly(shop: Shop, home: Path, by: str) -> None:
    wrong = [
        (shop.archive, "0" * 64),
        (shop.archive.replace("acme", "gone"), shop.checksum),
        (f"http://127.0.0.1:{unused_port()}/acme.tar.gz", shop.checksum),
    ]
    for url, checksum in wrong:
        code, out, err = piped(home, by, script(url, checksum))
        assert (code, out) == PLAIN
        assert err == f"rollcall-acme-board: this installation is not reported: {url} cannot be used\n"
    assert list((home / "tmp").iterdir()) == []
    broken = shop.folder / "acme.tar.gz"
    broken.write_bytes(broken.read_bytes()[:200])
    assert piped(home, by, script(shop.archive, shop.checksum))[:2] == PLAIN


@pytest.mark.needs("dash", "curl")
@pytest.mark.parametrize("lacks", [("curl", "wget"), ("timeout",), ("sha256sum",), ("awk",), ("tar",)])
def test_where_a_program_is_missing_the_installer_runs_plainly(
    shop: Shop, home: Path, lacks: tuple[str, ...]
) -> None:
    path = only(home.parent, *(getter for getter in ("curl",) if getter not in lacks), without=lacks)
    assert piped(home, "dash", script(shop.archive, shop.checksum), PATH=path)[:2] == PLAIN


@pytest.mark.needs("curl")  # wget has no deadline of its own for a connection, so it takes all 15 seconds
def test_a_server_that_never_answers_holds_the_installer_up_for_seconds_only(home: Path) -> None:
    with BlackHole() as hole:
        assert piped(home, "dash", script(f"{hole.endpoint}/acme.tar.gz", "0" * 64))[:2] == PLAIN


@pytest.mark.needs("strace", "curl")
@pytest.mark.parametrize("by", EACH_SHELL)
def test_with_a_flag_nothing_is_fetched_and_no_file_is_made(shop: Shop, home: Path, by: str) -> None:
    text = script(shop.archive, shop.checksum)

    def calls(**more: str) -> list[str]:
        trace = home.parent / "trace"
        tracer = ("strace", "-f", "-qq", "-o", str(trace), "-e", test_silent.CALLS)
        ended = piped(home, by, text, *tracer, **more)
        assert ended[:2] == (PLAIN if more else (9, "set up one two words\n"))
        assert ended[2] == ""
        lines = trace.read_text().splitlines()
        made = [line for line in lines if re.search(test_silent.MAKES, line)]
        made += [line for line in lines if "O_CREAT" in line and '"/dev/null"' not in line]
        return made + [line for line in lines if "socket(" in line]

    quiet = home / "quiet.env"
    quiet.write_text("ACME_DISABLE_TELEMETRY=yes\n")
    before = tree(home, "")
    assert calls(DO_NOT_TRACK="1") == []
    assert calls(ROLLCALL_ENV_FILE=str(quiet)) == []
    assert shop.asked == []
    assert tree(home, "") == before
    loud = calls()
    assert any("socket(" in line for line in loud)
    assert any("mkdir" in line for line in loud)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="rollcall-bootstrap-"))
    yield place
    shutil.rmtree(place)


def answers(by: str, places: list[Path], environ: dict[str, str]) -> list[str]:
    """What bootstrap.sh says in each of these directories."""
    command = [*shell(by), "-c", LOOK, "sh", *map(str, places)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    return list(done.stdout.split())


@pytest.mark.needs("dash")
@settings(max_examples=6)
@example(files=[b"#\0", b"# \0\nA=b\n", b"A=b\n#\xfc\n", b"#\xa0", b"#\xe2\x80"])
@given(files=st.lists(test_flag.A_FILE, min_size=20, max_size=30))
def test_no_file_that_silences_the_agent_is_let_through(folder: Path, files: list[bytes]) -> None:
    places, environ = test_flag.written(folder, files), environment(folder)
    for place, data, said in zip(places, files, answers("dash", places, environ), strict=True):
        assert said == "silent" or test_flag.agents(place, environ) == "sends", data


@pytest.mark.needs("dash")
@settings(max_examples=20)
@given(
    environ=st.dictionaries(
        st.sampled_from(["DO_NOT_TRACK", "DISABLE_TELEMETRY", "A.B_DISABLE_TELEMETRY", "OTHER"]),
        test_flag.SPELLED | test_flag.A_VALUE,
    )
)
def test_no_variable_that_silences_the_agent_is_let_through(folder: Path, environ: dict[str, str]) -> None:
    place = test_flag.written(folder, [b""])[0]
    whole = {**environment(folder), **environ}
    assert answers("dash", [place], whole) == ["silent"] or test_flag.agents(place, whole) == "sends"


@pytest.mark.parametrize("by", EACH_SHELL)
def test_every_odd_docker_env_silences(tmp_path: Path, by: str) -> None:
    for what, place, more in test_flag.oddities(tmp_path):
        assert answers(by, [place], {**environment(tmp_path / "nobody"), **more}) == ["silent"], what


@pytest.mark.parametrize("by", EACH_SHELL)
def test_an_ordinary_docker_env_is_understood(folder: Path, by: str) -> None:
    ordinary = "# What the server needs, für alle…\n\nPASSWORD='o#d d'\nexport URL=https://x.org/?a=b#c\nEMPTY=\n".encode()
    loud = [ordinary, b"", b'A_DISABLE_TELEMETRY="off"\n', b"DO_NOT_TRACK=0\n"]
    quiet = [ordinary + b"DO_NOT_TRACK=1\n", b"A='1\n", b"DO_NOT_TRACK=0\nDO_NOT_TRACK=0\n"]
    places = test_flag.written(folder, [*loud, *quiet])
    assert answers(by, places, environment(folder)) == ["sends"] * 4 + ["silent"] * 3


@pytest.mark.parametrize("by", EACH_SHELL)
def test_where_the_environment_names_no_home_it_is_looked_up(tmp_path: Path, by: str) -> None:
    """As the agent does: in cloud-init, for example, there is none."""
    place = test_flag.written(tmp_path, [b""])[0]
    refusal = tmp_path / f"root/.config/{test_flag.NAME}/docker.env"
    refusal.parent.mkdir(parents=True)
    getent = tmp_path / "bin/getent"
    getent.parent.mkdir()
    environ = environment(tmp_path, PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    del environ["HOME"]
    for home, text, said in (
        (tmp_path / "root", "", "sends"),
        (tmp_path / "root", "DO_NOT_TRACK=1\n", "silent"),
        ("", "", "silent"),
    ):
        getent.write_text(f"#!/bin/sh\necho 'root:x:0:0:root:{home}:/bin/sh'\n")
        getent.chmod(0o755)
        refusal.write_text(text)
        assert answers(by, [place], environ) == [said], (home, text)


def test_it_is_one_file_of_sixty_lines_at_most() -> None:
    assert len(BOOTSTRAP.splitlines()) <= 60
    assert os.access(INSTALL / "bootstrap.sh", os.X_OK)
