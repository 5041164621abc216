"""The command line: wrong use, errors in one line, and progress."""

from __future__ import annotations

import gzip
import json
import os
import pty
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from collector.cli import main
from collector.settings import PREFIX
from collector.store import open_database
from tests.collector.running import Collector
from tests.wait import PATIENCE

ROOT = Path(__file__).parents[2]
READ_OR_CHANGE = (
    "keys list",
    "keys revoke 1",
    "keys limit 1 --rate 1",
    "users list",
    "users remove x",
    "tokens list",
    "tokens revoke x",
    "audit",
    "setup-link",
    "export -",
    "instances delete x",
    "purge --older-than 1d",
    "purge --key 1",
    "recount",
    "members reset",
    "releases list",
    "releases trust x --source x",
    "releases distrust x --source x",
)
BEGIN = ("keys add x", "tokens add x", "import --source s /dev/null", "demo-data --instances 1")
VERBS_WITHOUT = (
    "members list",
    "members join x",
    "members approve x --fingerprint x",
    "members key",
    "bundles list",
    "bundles fetch x",
    "bundles open x",
    "alerts test",
    "cluster check",
)


def test_a_password_in_an_option_is_refused(idle: Collector) -> None:
    for url in ("postgresql://me:secret@h/d", "postgresql://h/d?user=me&password=secret"):
        done = idle.verb("keys", "list", "--db", url, code=2)
        assert "PGPASSFILE" in done.stderr
        assert "secret" not in done.stderr


def test_wrong_use_is_one_line_and_exit_code_2(idle: Collector) -> None:
    for setting, wrong in (
        ("LISTEN", "nowhere"),
        ("RATE", "fast"),
        ("TRUSTED_PROXIES", "lan"),
        ("DB", "mysql://x"),
    ):
        idle.settings = {PREFIX + setting: wrong}
        done = idle.verb("keys", "list", code=2)
        assert done.stderr.count("\n") == 1
        assert PREFIX + setting in done.stderr
    idle.settings = {}
    for wrong in ("soon", "90"):
        assert "90d, 6h" in idle.verb("purge", "--older-than", wrong, code=2).stderr
    assert "nothing" not in idle.verb("export", "/nowhere/x", code=1).stdout


def test_a_database_that_is_none_is_one_line(idle: Collector) -> None:
    Path(idle.home, "collector.db").write_bytes(b"not a database" * 100)
    assert idle.verb("keys", "list", code=1).stderr.count("\n") == 1
    done = idle.verb("keys", "list", "--db", "postgresql://127.0.0.1:1/x", code=1)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", READ_OR_CHANGE)
def test_a_verb_that_reads_or_changes_makes_no_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    path = tmp_path / "folder" / "typo.db"
    assert main([*verb.split(), "--db", f"sqlite:///{path}"]) == 1
    out, said = capsys.readouterr()
    assert out == ""
    assert said == (
        f"rollcall-collector: there is no database at {path};"
        " check --db, or begin one with `rollcall-collector serve` or `keys add`\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_looked_for_is_not_called_absent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "c.db"
    assert main(["keys", "list", "--db", f"sqlite:///{path}"]) == 1
    assert capsys.readouterr().err == f"rollcall-collector: {path}: Not a directory\n"


@pytest.mark.parametrize("verb", BEGIN)
def test_a_verb_that_begins_something_makes_the_database(tmp_path: Path, verb: str) -> None:
    path = tmp_path / "folder" / "new.db"
    assert main([*verb.split(), "--db", f"sqlite:///{path}"]) == 0
    assert main(["keys", "list", "--db", f"sqlite:///{path}"]) == 0


def test_a_first_user_makes_the_database(idle: Collector) -> None:
    idle.verb("users", "add", "ada", stdin="long enough a password")
    assert "ada" in idle.verb("users", "list").stdout


def test_a_database_without_tables_is_none_yet(database: str, tmp_path: Path) -> None:
    idle = Collector(tmp_path, database)
    for _ in range(2):  # the first try makes nothing for the second
        said = idle.verb("export", "-", code=1).stderr
        assert said.count("\n") == 1
        assert "begin one with `rollcall-collector serve`" in said
    open_database(database).close()
    assert "0 events written" in idle.verb("export", "-").stderr


@pytest.mark.parametrize("verb", VERBS_WITHOUT)
def test_a_verb_that_opens_no_database_takes_the_option_and_makes_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str
) -> None:
    main([*verb.split(), "--db", f"sqlite:///{tmp_path}/folder/x.db"])
    assert "unrecognized" not in capsys.readouterr().err
    assert not (tmp_path / "folder").exists()
    with pytest.raises(SystemExit):
        main([*verb.split(), "--help"])
    assert "--db" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("password", "code"), [("s3cr%t-pass", 1), ("s3cr@et", 2), ("s3cr[et", 2), ("s3cr/et", 1)]
)
def test_a_password_that_breaks_its_url_is_not_shown(tmp_path: Path, password: str, code: int) -> None:
    idle = Collector(tmp_path, f"postgresql://rollcall:{password}@127.0.0.1:1/db")
    said = idle.verb("keys", "list", code=code).stderr
    assert said.count("\n") == 1
    assert "s3cr" not in said
    assert "et@" not in said


def test_who_reads_no_further_is_told_nothing(idle: Collector) -> None:
    lines = "".join(json.dumps({"event": "x", "p": "x" * 1000}) + "\n" for _ in range(500))
    idle.verb("import", "--source", "s", "-", stdin=lines)
    with idle.popen("export", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 1


def test_an_export_takes_the_place_of_an_older_one_only_as_a_whole(idle: Collector, tmp_path: Path) -> None:
    idle.verb("import", "--source", "s", "-", stdin='{"event":"x"}\n')
    folder = tmp_path / "exports"
    folder.mkdir()
    plain, packed, link = folder / "out.jsonl", folder / "out.jsonl.gz", folder / "link"
    link.symlink_to("out.jsonl")
    for path in (link, packed):
        path.write_bytes(b"older")
        idle.verb("export", str(path))
    whole = plain.read_bytes()
    assert link.is_symlink()
    assert (gzip.decompress(packed.read_bytes()), whole.count(b"\n")) == (whole, 1)
    with closing(sqlite3.connect(idle.database.removeprefix("sqlite:///"))) as tables:
        tables.execute("DROP TABLE events")
    for name in ("out.jsonl", "half"):
        idle.verb("export", str(folder / name), code=1)
    assert plain.read_bytes() == whole
    assert sorted(os.listdir(folder)) == ["link", "out.jsonl", "out.jsonl.gz"]


def test_who_may_read_an_older_export_may_read_the_new_one_and_nobody_steers_where_it_goes(
    idle: Collector, tmp_path: Path
) -> None:
    idle.verb("import", "--source", "s", "-", stdin='{"event":"x"}\n')
    older, theirs = tmp_path / "out", tmp_path / "theirs"
    older.touch(0o600)
    theirs.touch()
    (tmp_path / "out.part").symlink_to(theirs)
    idle.verb("export", str(older))
    assert older.read_bytes().count(b"\n") == 1
    assert older.stat().st_mode & 0o777 == 0o600
    assert theirs.read_bytes() == b""
    assert (tmp_path / "out.part").is_symlink()


def test_a_new_export_is_for_its_owner_alone(idle: Collector, tmp_path: Path) -> None:
    """It holds the e-mail addresses of who asked for help."""
    idle.verb("import", "--source", "s", "-", stdin='{"event":"x"}\n')
    for name in ("out", "out.gz"):
        idle.verb("export", str(tmp_path / name))
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.needs("unshare")
def test_an_export_onto_a_full_disk_leaves_no_half(idle: Collector, tmp_path: Path) -> None:
    idle.verb("import", "--source", "s", "-", stdin='{"event":"x"}\n')
    script = (
        'mount -t tmpfs -o size=16k none "$0" && head -c 16384 /dev/zero >"$0/full" || exit 9;'
        ' "$@" "$0/out" && exit 8; "$@" "$0/out.gz" && exit 7; exec ls "$0"'
    )
    disk = tmp_path / "disk"
    disk.mkdir()
    export = [sys.executable, "-m", "collector", "export"]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, str(disk), *export],
        env=idle.environ(),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "full\n"), done.stderr
    assert done.stderr.count("No space left on device") == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("keys", "add", "\udcff"), 2, "is not valid text"),
        (("keys", "add", ""), 1, "a name has 1 to 100 characters"),
        (("keys", "add", "x\ny"), 1, "a name has 1 to 100 characters"),
        (("users", "remove", "\udcff"), 2, "is not valid text"),
        (("keys", "list", "--events", "clickhouse://a[b/db"), 2, "--events from the command line"),
        (("serve", "--listen", "a..b:80"), 1, "cannot listen at a..b:80"),
    ],
)
def test_words_that_are_no_names_are_one_line(
    idle: Collector, words: tuple[str, ...], code: int, said: str
) -> None:
    idle.verb("keys", "add", "product")
    done = idle.verb(*words, code=code)
    assert (said in done.stderr, done.stderr.count("\n"), done.stdout) == (True, 1, ""), done.stderr
    assert idle.verb("keys", "list").stdout.count("\n") == 1


def test_a_name_that_the_output_cannot_hold_is_not_called_a_wrong_word(idle: Collector) -> None:
    idle.verb("keys", "add", "Łódź")
    idle.settings["PYTHONIOENCODING"] = "ascii"
    assert "cannot be written as ascii" in idle.verb("keys", "list", code=1).stderr


def test_any_number_of_entries_may_be_asked_for(idle: Collector) -> None:
    idle.verb("keys", "add", "product")
    whole = idle.verb("audit").stdout
    assert idle.verb("audit", "-n", "9" * 20).stdout == whole != ""
    assert idle.verb("audit", "-n", "-1").stdout == ""


def test_a_file_or_an_address_that_cannot_be_had_is_named_with_what_to_do(idle: Collector) -> None:
    said = idle.verb("import", "/none", code=1).stderr
    assert said == (
        "rollcall-collector: /none cannot be opened: No such file or directory;"
        " name a file of JSON lines, or - for stdin\n"
    )
    assert "/nowhere/x cannot be opened: No such file" in idle.verb("export", "/nowhere/x", code=1).stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = "{}:{}".format(*taken.getsockname())
        said = idle.verb("serve", "--listen", place, code=1).stderr
    assert said == (
        f"rollcall-collector: cannot listen at {place}: Address already in use;"
        " choose another address with --listen HOST:PORT, or stop what uses this one\n"
    )
    said = idle.verb("serve", "--listen", "nowhere.invalid:1", code=1).stderr
    assert "cannot listen at nowhere.invalid:1: " in said
    feed = idle.verb("releases", "publish", "/none", "--source", "s", code=1).stderr
    assert feed == "rollcall-collector: /none: No such file or directory\n"


def test_long_work_shows_progress_on_a_terminal(idle: Collector, tmp_path: Path) -> None:
    idle.verb("import", "--source", "s", "-", stdin='{"event":"x"}\n' * 3)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "collector", "export", str(tmp_path / "out")]
    with subprocess.Popen(command, env=idle.environ(), cwd=ROOT, stderr=theirs):
        os.close(theirs)
        said = b""
        with suppress(OSError):  # nobody has the terminal open any more
            while data := os.read(ours, 4096):  # in pieces of any size
                said += data
    os.close(ours)
    assert b"3 events written" in said
