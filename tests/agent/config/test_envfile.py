from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import envfile, settings
from agent.config.consent import decision_from_files
from agent.config.envfile import EnvFile
from agent.config.flags import silences
from agent.config.settings import NAMES
from tests.agent.world import World
from tests.parts import NOBODY

ME = os.geteuid()
SOMEBODY = 54321


def read(path: Path, uid: int = ME) -> EnvFile:
    file = envfile.read_env_file(str(path), NAMES, uid=uid)
    assert file is not None
    return file


def parsed(text: str) -> EnvFile:
    file = EnvFile("docker.env", trusted=True)
    envfile._parse(file, text, NAMES)
    return file


def test_only_our_own_names_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "docker.env"
    path.write_text("DB_PASSWORD=hunter2\nROLLCALL_PRODUCT=Shop\nROLLCALL_SECRET=x\nDO_NOT_TRACK=0\n")
    path.chmod(0o600)
    file = read(path)
    assert {name: line.value for name, line in file.settings.items()} == {"ROLLCALL_PRODUCT": "Shop"}
    assert [(flag.name, flag.value, flag.line) for flag in file.flags] == [("DO_NOT_TRACK", "0", 4)]
    kept = repr([getattr(file, slot) for slot in EnvFile.__slots__])
    assert "hunter2" not in kept


def test_nothing_is_interpolated_and_the_environment_is_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "s")
    path = tmp_path / "docker.env"
    path.write_text("ROLLCALL_PRODUCT=${SECRET}\nROLLCALL_WRITE_KEY='a$b'\n")
    path.chmod(0o600)
    before = dict(os.environ)
    values = {name: line.value for name, line in read(path).settings.items()}
    assert values == {"ROLLCALL_PRODUCT": "${SECRET}", "ROLLCALL_WRITE_KEY": "a$b"}
    assert dict(os.environ) == before


def test_no_file_is_none_and_an_empty_one_says_nothing(tmp_path: Path) -> None:
    assert envfile.read_env_file(str(tmp_path / "docker.env"), NAMES, uid=ME) is None
    assert envfile.read_env_file(str(tmp_path / "a" / "docker.env"), NAMES, uid=ME) is None
    path = tmp_path / "docker.env"
    path.write_text(" \n\n")
    file = read(path)
    assert (file.flags, file.settings, file.fault) == ([], {}, None)


@pytest.mark.parametrize(
    "kind", ["directory", "fifo", "no text", "nul", "huge", "dangling", "loop", "endless"]
)
def test_what_cannot_be_read_is_in_doubt(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "docker.env"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "no text":
        path.write_bytes(b"A=\xff\n")
    elif kind == "nul":
        path.write_bytes(b"A=1\0\n")
    elif kind == "huge":
        path.write_bytes(b"#" * (envfile.MAX_BYTES + 1))
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.symlink_to("/dev/zero")
    file = read(path)
    rule = "too-large" if kind == "huge" else "unreadable"
    assert (file.fault, file.trusted) == ((rule, None), False)


def test_a_file_too_large_to_be_read_quickly_silences_and_status_names_it(world: World) -> None:
    path = world.env_file("A=1\n" * 200_000)
    status = world.run("status", "--json")
    assert (status.json["sending"], status.json["rule"]) == (False, "too-large")
    assert (status.json["source"], status.err) == (str(path), "")
    assert f"no, a docker.env is larger than 64 KiB ({path})" in world.run("status").out


def test_install_sh_reads_no_larger_a_file_than_the_agent() -> None:
    text = (Path(__file__).parents[3] / "install/lib/flag.sh").read_text()
    assert f"\nMAX_ENV_FILE={envfile.MAX_BYTES}\n" in text


def test_the_largest_file_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "docker.env"
    path.write_bytes(b"#" * (envfile.MAX_BYTES - 16) + b"\nDO_NOT_TRACK=1\n")
    assert read(path).flags[0].line == 2


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0"])
def test_a_long_run_of_blanks_delays_nobody(blank: str) -> None:
    """The parser would take minutes for this file."""
    blanks = blank * (envfile.MAX_BYTES // 2 // len(blank.encode()))
    file = parsed(f"ROLLCALL_PRODUCT=a{blanks}b\n\nX_DISABLE_TELEMETRY=0{blanks}no\n")
    assert file.settings["ROLLCALL_PRODUCT"].value == f"a{blank * envfile.MAX_BLANKS}b"
    assert [(flag.line, silences(flag.value or "")) for flag in file.flags] == [(3, True)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\nB='unbalanced\nC=2\n", 2),
        ("\n\nDISABLE_TELEMETRY true\n", 3),
        ("A=1\nDISABLE_TELEMETRY: true\n", 2),
        ("DO_NOT_TRACK+=1\n", 1),
        ("$DO_NOT_TRACK=1\n", 1),
        ("DO_NOT_TRACK\u200b=1\n", 1),
        ("A='x\nDO_NOT_TRACK=1\n'\n", 1),
        ('A=1\r\nB="x\r\nexport MY_DISABLE_TELEMETRY=1\r\n"\r\n', 2),
        ("A=x\u2028DO_NOT_TRACK=1\n", 1),
        ("=x\n", 1),
    ],
)
def test_a_line_in_doubt_is_named(text: str, line: int) -> None:
    file = parsed(text)
    assert file.fault == ("unparsable", line)
    assert not decision_from_files([file]).sending


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("DO_NOT_TRACK=1", "1"),
        ("  export   DO_NOT_TRACK = 'yes' # why", "yes"),
        ("'DO_NOT_TRACK'=0", "0"),
        ('"DO_NOT_TRACK"=x', "x"),
        ("\ufeffDO_NOT_TRACK=1", "1"),
        ("DO_NOT_TRACK=", ""),
        ("DO_NOT_TRACK= # comment", ""),
        ("DO_NOT_TRACK", None),
        ("export DO_NOT_TRACK", None),
        ('"DO_NOT_TRACK', None),
    ],
)
def test_a_flag_is_understood_as_a_shell_would(text: str, value: str | None) -> None:
    file = parsed(text.removeprefix("\ufeff"))
    assert [(flag.name, flag.value) for flag in file.flags] == [("DO_NOT_TRACK", value)]


def test_a_comment_is_no_flag() -> None:
    file = parsed("# DO_NOT_TRACK=1\nA=1 # DO_NOT_TRACK=1\nNOT_A_FLAG=DO_NOT_TRACK\n")
    assert (file.flags, file.fault) == ([], None)


@given(st.text() | st.text("DO_NOT_TRACK=10\n'# ", max_size=30).map("DO_NOT_TRACK".__add__))
def test_no_text_whatever_raises_and_a_faulty_or_flagged_line_silences(text: str) -> None:
    file = parsed(text)
    refused = [flag for flag in file.flags if flag.value is None or silences(flag.value)]
    if file.fault or refused:
        assert not decision_from_files([file]).sending
    elif not file.flags:
        assert decision_from_files([file]).sending


@given(st.text(), st.text(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_flag_on_a_line_of_its_own_silences_whatever_stands_around_it(
    before: str, after: str, end: str
) -> None:
    file = parsed(f"{before}{end}DO_NOT_TRACK=1{end}{after}")
    assert not decision_from_files([file]).sending


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_a_file_that_others_may_write_can_silence_and_nothing_more(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "docker.env"
    path.write_text("ROLLCALL_ENDPOINT=https://evil.example\nDO_NOT_TRACK=1\n")
    path.chmod(mode)
    file = read(path)
    assert (file.trusted, file.settings) == (False, {})
    assert not decision_from_files([file]).sending


def test_a_file_that_is_somebody_elses_can_silence_and_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "docker.env"
    path.write_text("ROLLCALL_ENDPOINT=https://evil.example\nDO_NOT_TRACK=1\n")
    path.chmod(0o644)
    file = read(path, uid=SOMEBODY)
    assert file.trusted is (ME == 0)  # root's own file is anybody's to rely on
    assert not decision_from_files([file]).sending


@pytest.mark.needs("root")
def test_a_strangers_file_or_symlink_is_not_relied_on_by_root(tmp_path: Path) -> None:
    target = tmp_path / "roots"
    target.write_text("ROLLCALL_ENDPOINT=https://evil.example\n")
    target.chmod(0o600)
    link = tmp_path / "docker.env"
    link.symlink_to(target)
    assert read(link).settings
    os.lchown(link, SOMEBODY, SOMEBODY)
    assert (read(link).trusted, read(link).settings) == (False, {})
    os.lchown(link, 0, 0)
    os.chown(target, SOMEBODY, SOMEBODY)
    assert (read(link).trusted, read(link).settings) == (False, {})


def test_every_place_is_looked_at_in_order(world: World) -> None:
    world.environ |= {
        "ROLLCALL_ENV_FILE": "named.env",
        "CREDENTIALS_DIRECTORY": "/run/creds",
        "XDG_CONFIG_HOME": "/conf",
    }
    found = envfile.env_file_places(world.environ, name="rollcall-shop", cwd="/srv", root="/r")
    assert found == [
        "/srv/named.env",
        "/srv/docker.env",
        "/run/creds/docker.env",
        "/r/etc/rollcall-shop/docker.env",
        "/conf/rollcall-shop/docker.env",
    ]


def test_a_place_that_is_named_twice_is_one() -> None:
    places = envfile.env_file_places(
        {"ROLLCALL_ENV_FILE": "../srv/./docker.env", "HOME": "/h"}, name="x", cwd="/srv"
    )
    assert places == ["/srv/docker.env", "/etc/x/docker.env", "/h/.config/x/docker.env"]


@pytest.mark.parametrize("home", ["", "relative", "~"])
def test_a_user_without_a_home_gets_none_in_the_working_directory(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "~")  # what expanduser falls back on, as for a uid without an entry
    assert envfile.home({"HOME": home}) == "/"
    assert envfile.user_file({"HOME": home}, "x") == "/.config/x/docker.env"


@pytest.mark.parametrize(
    ("copy", "source"),
    [("docker.env", "ROLLCALL_CREDENTIAL_SOURCE"), ("system.env", "ROLLCALL_SYSTEM_SOURCE")],
)
def test_the_file_that_systemd_copied_is_read_as_its_copy_alone(
    tmp_path: Path, copy: str, source: str
) -> None:
    system, credentials = tmp_path / "etc/x/docker.env", tmp_path / "credentials"
    environ = {"HOME": str(tmp_path), "CREDENTIALS_DIRECTORY": str(credentials)}
    ask = {"name": "x", "cwd": "/", "root": str(tmp_path)}
    assert str(system) in envfile.env_file_places(environ, **ask)
    environ[source] = str(system)
    assert str(system) in envfile.env_file_places(environ, **ask), "there is no copy"
    credentials.mkdir()
    (credentials / copy).write_text("")
    places = envfile.env_file_places(environ, **ask)
    assert str(credentials / copy) in places
    assert str(system) not in places
    system.mkdir(parents=True)
    assert str(system) in envfile.env_file_places(environ, **ask), "nobody can copy a directory"


def test_settings_come_from_the_vendors_copy_and_the_flag_counts_in_the_machines_too(tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path),
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "ROLLCALL_CREDENTIAL_SOURCE": "/vendor/docker.env",
        "ROLLCALL_SYSTEM_SOURCE": str(tmp_path / "etc/x/docker.env"),
    }
    (tmp_path / "docker.env").write_text("ROLLCALL_PRODUCT=Shop\n")
    (tmp_path / "system.env").write_text("ROLLCALL_PRODUCT=Other\nDO_NOT_TRACK=1\n")
    files = envfile.read_env_files(environ, NAMES, name="x", cwd="/", uid=ME, root=str(tmp_path))
    assert [file.path for file in files] == [str(tmp_path / "docker.env"), str(tmp_path / "system.env")]
    assert settings.load(environ, files).product == "Shop"
    assert decision_from_files(files).source == f"{tmp_path}/system.env:2"


@pytest.mark.needs("user")
def test_a_file_of_mode_000_or_in_a_closed_directory_is_in_doubt_for_an_ordinary_user(
    open_folder: Path,
) -> None:
    for mode, closed in ((0o000, 0o755), (0o644, 0o700)):
        folder = open_folder / oct(mode)
        folder.mkdir()
        (folder / "docker.env").write_text("DO_NOT_TRACK=0\n")
        (folder / "docker.env").chmod(mode)
        folder.chmod(closed)
        os.seteuid(NOBODY)
        try:
            file = read(folder / "docker.env", uid=NOBODY)
        finally:
            os.seteuid(0)
        assert file.fault == ("unreadable", None)
