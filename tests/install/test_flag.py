"""The flag as install.sh reads it, beside the agent's own reading: never less silent."""

import os
import runpy
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.consent import decision_from_environment, decision_from_files
from agent.config.envfile import MAX_BYTES, read_env_file, read_env_files
from agent.config.settings import NAMES as SETTINGS
from tests.install.scripts import INSTALL, SHELLS, environment, run, shell, small_tools
from tests.parts import NOBODY

NAME = "rollcall-nowhere"
LOOK = f"""
. {INSTALL}/lib/flag.sh
look=$1 && shift
for place in "$@"; do
    cd "$place" || exit 3
    why=
    $look
    if [ -n "$why" ]; then echo silent; else echo sends; fi
done
"""
EVERYWHERE = f"look_for_refusal {NAME} "
HERE = "look_in_file docker.env"
EACH_SHELL = [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS]
OTHER_SHELLS = [name for name in SHELLS if name != "dash"]


def answers(
    name: str,
    places: list[Path],
    environ: Mapping[str, str],
    look: str = EVERYWHERE,
    user: int | None = None,
) -> list[str]:
    """What the shell says in each of these directories."""
    done = subprocess.run(
        [*shell(name), "-c", LOOK, "sh", look, *places],
        env=dict(environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    assert done.stderr == ""
    found: list[str] = done.stdout.split()
    return found


def agents(place: Path, environ: Mapping[str, str], uid: int = 0) -> str:
    """What the agent itself says."""
    before = os.getcwd()
    os.chdir(place)
    try:
        files = read_env_files(environ, (), name=NAME, cwd=str(place), uid=uid)
    finally:
        os.chdir(before)
    decision = decision_from_environment(environ) or decision_from_files(files)
    return "sends" if decision.sending else "silent"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="rollcall-flag-"))
    yield place
    shutil.rmtree(place)


@pytest.mark.needs("busybox", "dash")
def test_a_small_machines_tools_read_as_all_others_do(folder: Path) -> None:
    files = [b"A=1\n", "# höher …\n".encode(), b"A=\xff\n", "# é\nX_DISABLE_TELEMETRY=1\n".encode()]
    files += [b"DO_NOT_TRACK=off\n", b"A='1'\n", b"A='1\n", b"export A=1 \n", b"A=\xed\xa0\x80\n"]
    places = written(folder, files)
    environ = environment("/", PATH=str(small_tools(folder)))
    expected = answers("dash", places, environment("/"), HERE)
    assert set(expected) == {"sends", "silent"}
    assert answers("busybox", places, environ, HERE) == expected


def written(folder: Path, files: list[bytes]) -> list[Path]:
    places = []
    for number, data in enumerate(files):
        place = folder / str(number)
        place.mkdir(exist_ok=True)
        (place / "docker.env").write_bytes(data)
        places.append(place)
    return places


NAMES = [
    "DO_NOT_TRACK",
    "X_DISABLE_TELEMETRY",
    "DISABLE_TELEMETRY",
    "PASSWORD",
    "A.B",
    "A.B_DISABLE_TELEMETRY",
    "DO_NOT_TRACK+",
    "É",
    "export",
    "a b",
]
VALUES = [
    "",
    "0",
    "false",
    "No",
    "OFF",
    "true",
    "1",
    "no x",
    "a#b",
    "a'b",
    'a"b',
    "é",
    "\u00a0no",
    "a\\",
    "\\n",
]
QUOTES = ["", '"', "'"]
JUNK = [
    "\n",
    "\r\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u00a0",
    "\ufeff",
    "\t",
    " ",
    "'",
    '"',
    "\\",
    "#",
    "=",
]
SPACES = st.sampled_from(["", "", " ", "\t", "  "])


@st.composite
def a_line(draw: st.DrawFn) -> str:
    """A line of docker.env, mostly in order."""
    pick = st.sampled_from
    quote, end = draw(pick(QUOTES)), draw(pick(["\n", "\n", "\n", "\r\n", "\r", ""]))
    shape = draw(pick(["set", "set", "set", "set", "bare", "comment", "junk"]))
    name, value = draw(pick(NAMES)), draw(pick(VALUES))
    if shape == "junk":
        return "".join(draw(st.lists(pick(JUNK + NAMES + VALUES), max_size=6))) + end
    if shape == "comment":
        return f"{draw(SPACES)}# {name}={value}{draw(pick(JUNK))}{end}"
    lead = draw(SPACES) + draw(pick(["", "", "", "export ", "export"])) + name
    note = draw(pick(["", "", "", " # note", "#note"]))
    if shape == "bare":
        return lead + draw(SPACES) + note + end
    inside = draw(pick(["", "", " ", "\t", "\n", "\\"]))
    closing = draw(pick([quote, quote, quote, ""]))
    return f"{lead}{draw(SPACES)}={draw(SPACES)}{quote}{inside}{value}{closing}{note}{draw(SPACES)}{end}"


A_TEXT = st.lists(a_line(), max_size=5).map("".join)
A_FILE = (
    A_TEXT.map(str.encode)
    | st.binary(max_size=40)
    | A_TEXT.map(lambda text: text.encode("latin-1", "replace"))
)


@pytest.mark.needs("dash")
@settings(max_examples=25)
@given(files=st.lists(A_FILE, min_size=20, max_size=40))
def test_no_file_that_silences_the_agent_is_let_through_by_the_shell(
    folder: Path, files: list[bytes]
) -> None:
    places, environ = written(folder, files), environment(folder)
    for place, data, said in zip(places, files, answers("dash", places, environ, HERE), strict=True):
        assert said == "silent" or agents(place, environ) == "sends", data


@pytest.mark.parametrize("other", [pytest.param(n, marks=pytest.mark.needs(n)) for n in OTHER_SHELLS])
@settings(max_examples=5)
@given(files=st.lists(A_FILE, min_size=20, max_size=40))
def test_every_shell_reads_alike(folder: Path, files: list[bytes], other: str) -> None:
    places, environ = written(folder, files), environment(folder)
    assert answers(other, places, environ, HERE) == answers("dash", places, environ, HERE)


PLAIN = b"""\xef\xbb\xbf# What the server needs. Gr\xc3\xbc\xc3\x9fe!

POSTGRES_PASSWORD='o#d d"'
export APP_URL=https://example.org/?a=b#c   # where it is
EMPTY=
PASSED_ON
KEY = "a\\nb" # \xe2\x80\xa6
ROLLCALL_DISABLE_TELEMETRY=false
export DO_NOT_TRACK = " 0 " # not here
#X_DISABLE_TELEMETRY=true\r
LAST=caf\xc3\xa9"""


@pytest.mark.parametrize("name", EACH_SHELL)
def test_an_ordinary_docker_env_is_understood(folder: Path, name: str) -> None:
    spellings = [
        f"A_DISABLE_TELEMETRY={word}\n".encode() for word in ("", "0", "False", "no ", "OFF", "'off'")
    ]
    places = written(folder, [PLAIN, b"", b"\n\n", PLAIN + b"\nDO_NOT_TRACK=1", *spellings])
    assert answers(name, places, environment(folder)) == ["sends"] * 3 + ["silent"] + ["sends"] * 6


@pytest.mark.needs("dash")
def test_what_install_sh_writes_into_docker_env_is_no_doubt_for_the_next_one(tmp_path: Path) -> None:
    quoted = runpy.run_path(str(INSTALL / "lib/settings.py"))["quoted"]
    products = ["Acme Board", "Acme's #1", "\u00dcber Board", "Caf\u00e9", '\u00c9mile "2"', " spaced "]
    places = written(tmp_path, [f"ROLLCALL_PRODUCT={quoted(product)}\n".encode() for product in products])
    said = answers("dash", places, environment(tmp_path / "nobody"))
    assert dict(zip(products, said, strict=True)) == dict.fromkeys(products, "sends")
    for place, product in zip(places, products, strict=True):
        (place / "docker.env").chmod(0o600)
        file = read_env_file(str(place / "docker.env"), SETTINGS, uid=os.geteuid())
        assert file is not None
        assert file.settings["ROLLCALL_PRODUCT"].value == product


A_VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
SPELLED = st.sampled_from(
    ["", "0", "false", "FALSE", " no\t", "Off", "true", "1", "n", "nope", "\n", "no\n", "\u00a0off"]
)


@pytest.mark.parametrize("name", EACH_SHELL)
@settings(max_examples=25)
@given(
    environ=st.dictionaries(
        st.sampled_from(
            ["DO_NOT_TRACK", "DISABLE_TELEMETRY", "A.B_DISABLE_TELEMETRY", "é_DISABLE_TELEMETRY", "OTHER"]
        ),
        SPELLED | A_VALUE,
    )
)
def test_no_variable_that_silences_the_agent_is_let_through(
    folder: Path, name: str, environ: dict[str, str]
) -> None:
    place = written(folder, [b""])[0]
    whole = {**environment(folder), **environ}
    said = answers(name, [place], whole)
    assert said == ["silent"] or agents(place, whole) == "sends"
    if all(
        value.strip(" \t").lower() in ("", "0", "false", "no", "off")
        for key, value in environ.items()
        if key != "OTHER"
    ):
        assert said == ["sends"]


def oddities(folder: Path) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """Every odd state of a docker.env, with the environment that points at it."""
    flag = folder / "flag.env"
    flag.write_text("DO_NOT_TRACK=1\n")
    for number, what in enumerate(
        ["directory", "fifo", "dangling", "loop", "large", "nul", "link", "socketless"]
    ):
        place = folder / f"odd{number}"
        place.mkdir()
        file = place / "docker.env"
        if what == "directory":
            file.mkdir()
        elif what == "fifo":
            os.mkfifo(file)
        elif what in ("dangling", "loop", "link"):
            file.symlink_to({"dangling": "nothing", "loop": "docker.env", "link": str(flag)}[what])
        elif what == "large":
            file.write_bytes(b"A=b\n" * (256 * 1024 + 1))
        elif what == "nul":
            file.write_bytes(b"A=\0b\n")
        if what != "socketless":
            yield what, place, {}
    empty = folder / "empty"
    (empty / "deep/rollcall-nowhere").mkdir(parents=True)
    (empty / "link").symlink_to("deep")
    config = empty / "deep/rollcall-nowhere/docker.env"
    config.write_text("X_DISABLE_TELEMETRY=yes\n")
    near = os.path.relpath(flag, empty)
    for what, more in {
        "named": {"ROLLCALL_ENV_FILE": str(flag)},
        "named, relative": {"ROLLCALL_ENV_FILE": near},
        "named, with a slash": {"ROLLCALL_ENV_FILE": f"{flag}/"},
        "named, with dots": {"ROLLCALL_ENV_FILE": f"{flag}/."},
        "named, through a link": {"ROLLCALL_ENV_FILE": f"link/../{near}"},
        "named, a loop": {"ROLLCALL_ENV_FILE": str(folder / "odd3/docker.env/x")},
        "named, too long": {"ROLLCALL_ENV_FILE": "x" * 300},
        "credential": {"CREDENTIALS_DIRECTORY": str(empty / "deep/rollcall-nowhere")},
        "configured": {"XDG_CONFIG_HOME": str(empty / "deep")},
        "configured, relative": {"XDG_CONFIG_HOME": "deep"},
    }.items():
        yield what, empty, more
    home = folder / "home/.config/rollcall-nowhere"
    home.mkdir(parents=True)
    shutil.copy(flag, home / "docker.env")
    yield "home", empty, {"HOME": str(folder / "home")}
    yield "home, with a slash", empty, {"HOME": f"{folder}/home/"}


@pytest.mark.parametrize("name", EACH_SHELL)
def test_every_odd_docker_env_silences_as_it_does_the_agent(tmp_path: Path, name: str) -> None:
    for what, place, more in oddities(tmp_path):
        environ = {**environment(tmp_path / "nobody"), **more}
        assert agents(place, environ) == "silent", what
        assert answers(name, [place], environ) == ["silent"], what


@pytest.mark.parametrize("name", EACH_SHELL)
def test_a_script_that_ends_at_the_first_failure_goes_on_after_any_docker_env(
    tmp_path: Path, name: str
) -> None:
    """As the example for containers does, with `set -eu`: in doubt it refuses, and installs its product."""
    latin, folder, plain = (tmp_path / place for place in ("latin", "folder", "plain"))
    for place in (latin, folder / "docker.env", plain):
        place.mkdir(parents=True)
    (latin / "docker.env").write_bytes("# für alle\n".encode("latin-1"))
    (plain / "docker.env").write_text("A=b\n")
    look = f"{EVERYWHERE} nothing.env"
    words = [*shell(name), "-euc", LOOK, "sh", look, *map(str, (latin, folder, plain))]
    done = run(*words, environ=environment(tmp_path))
    assert (done.returncode, done.stdout.split()) == (0, ["silent", "silent", "sends"])


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.needs(n)) for n in ("dash", "bash")])
def test_a_fifo_that_takes_the_place_of_a_docker_env_holds_nobody_up(tmp_path: Path, name: str) -> None:
    """A stranger may do that in a folder of mode 1777; here the first program that reads does it."""
    (tmp_path / "docker.env").write_text("A=b\n")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/wc").write_text('#!/bin/sh\n/usr/bin/wc "$@"\nmv fifo docker.env\n')
    (tmp_path / "bin/wc").chmod(0o755)
    environ = environment(tmp_path, PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    assert answers(name, [tmp_path], environ) == ["silent"]
    assert not (tmp_path / "fifo").exists()


@pytest.mark.needs("user")
@pytest.mark.parametrize("name", EACH_SHELL)
def test_what_an_ordinary_user_may_not_look_at_silences(tmp_path: Path, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place, hidden = Path(folder, "place"), Path(folder, "hidden")
        hidden.mkdir()
        place.mkdir()
        for path in (Path(folder), place):
            path.chmod(0o755)
        (hidden / "docker.env").write_text("A=b\n")
        (place / "docker.env").write_text("A=b\n")
        named = environment("/nonexistent", ROLLCALL_ENV_FILE=str(hidden / "docker.env"))
        bare = environment("/nonexistent")
        assert (
            answers(name, [place], bare, user=NOBODY)
            == answers(name, [place], named, user=NOBODY)
            == ["sends"]
        )
        (hidden / "docker.env").chmod(0o600)
        assert answers(name, [place], named, user=NOBODY) == ["silent"]
        (hidden / "docker.env").chmod(0o644)
        hidden.chmod(0o700)
        assert answers(name, [place], named, user=NOBODY) == ["silent"]


@pytest.mark.parametrize("name", EACH_SHELL)
def test_a_machine_without_the_tools_to_look_is_silent(tmp_path: Path, name: str) -> None:
    (tmp_path / "docker.env").write_text("A=b\n")
    assert answers(name, [tmp_path], environment(tmp_path)) == ["sends"]
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    if name != "busybox":  # which brings its own
        assert answers(name, [tmp_path], environment(tmp_path, PATH=str(bin_))) == ["silent"]
    for tool in ("env", "tr", "wc", "id"):
        (bin_ / tool).symlink_to(f"/usr/bin/{tool}")
    if name != "busybox":
        assert answers(name, [tmp_path], environment(tmp_path, PATH=str(bin_))) == ["silent"]


@pytest.mark.parametrize("name", EACH_SHELL)
def test_a_docker_env_is_read_to_the_same_size_as_by_the_agent(tmp_path: Path, name: str) -> None:
    environ = environment(tmp_path / "nobody")
    for more, meaning in ((0, "sends"), (1, "silent")):
        (tmp_path / "docker.env").write_bytes(b"#" * (MAX_BYTES + more))
        assert agents(tmp_path, environ) == meaning
        assert answers(name, [tmp_path], environ) == [meaning]
