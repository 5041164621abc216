"""The verbs: what goes to stdout, what is refused, and what comes back after a round trip."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.admin import keys
from collector.admin.users import hash_password, password_is
from collector.cli import build_parser
from collector.serve.openapi import ANSWERS
from collector.settings import PREFIX, SETTINGS, SettingError, default_database, read_settings, settings_table
from collector.store import Store, StoreUnavailable, open_store, postgres, schema
from collector.store.schema import MIGRATIONS, Executes, apply_migrations
from tests import environ
from tests.collector.cluster import Cluster
from tests.collector.running import Collector
from tests.wait import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def idle(tmp_path: Path) -> Collector:
    """A database without a server."""
    return Collector(tmp_path, f"sqlite:///{tmp_path}/collector.db")


def test_a_first_start_makes_everything_and_says_how_to_point_an_agent_at_it(tmp_path: Path) -> None:
    home = environ.covered(
        tmp_path, XDG_STATE_HOME=str(tmp_path / "state"), STATE_DIRECTORY=str(tmp_path / "state")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "collector", "serve", "--listen", "127.0.0.1:0"],
        env=home,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    endpoint, key = (process.stdout.readline().strip().partition("=")[2] for _ in range(2))
    collector = Collector(tmp_path, f"sqlite:///{tmp_path}/state/collector.db")
    collector.port, collector.key = int(endpoint.rpartition(":")[2]), key
    assert collector.post("/v1/track", {"event": "x"}).status == 200
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert (tmp_path / "state" / "collector.db").stat().st_mode & 0o777 == 0o600


def test_a_server_with_a_public_address_says_where_it_listens_too(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    public = "https://rollcall.example"
    served = start(f"sqlite:///{tmp_path}/collector.db", ROLLCALL_COLLECTOR_PUBLIC_URL=public)
    assert served.get("/healthz").status == 200


def test_keys_add_prints_the_key_alone_and_keeps_a_digest(idle: Collector) -> None:
    key = idle.verb("keys", "add", "web").stdout
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}\n", key)
    assert key.strip() not in idle.verb("keys", "list").stdout
    assert key.strip().encode() not in Path(idle.home, "collector.db").read_bytes()
    idle.verb("keys", "revoke", key[:6])
    assert "revoked" in idle.verb("keys", "list").stdout
    assert "no valid key matches" in idle.verb("keys", "revoke", key.strip(), code=1).stderr


def test_users_are_added_listed_and_removed(idle: Collector) -> None:
    idle.verb("users", "add", "ada", "--role", "support", stdin="correct horse\n")
    assert idle.verb("users", "list").stdout.startswith("ada\tsupport\t")
    assert "already" in idle.verb("users", "add", "ada", stdin="correct horse\n", code=1).stderr
    assert "at least" in idle.verb("users", "add", "bob", stdin="short\n", code=1).stderr
    idle.verb("users", "remove", "ada")
    assert "does not exist" in idle.verb("users", "remove", "ada", code=1).stderr


def test_a_password_is_known_again_and_no_other() -> None:
    kept = hash_password("correct horse")
    assert password_is("correct horse", kept)
    assert not password_is("battery staple", kept)
    assert "correct" not in kept


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


@pytest.mark.parametrize(
    ("password", "code"), [("s3cr%t-pass", 1), ("s3cr@et", 2), ("s3cr[et", 2), ("s3cr/et", 1)]
)
def test_a_password_that_breaks_its_url_is_not_shown(tmp_path: Path, password: str, code: int) -> None:
    idle = Collector(tmp_path, f"postgresql://rollcall:{password}@127.0.0.1:1/db")
    said = idle.verb("keys", "list", code=code).stderr
    assert said.count("\n") == 1
    assert "s3cr" not in said
    assert "et@" not in said


def test_export_and_import_are_a_round_trip_and_import_is_idempotent(
    start: object, database: str, tmp_path: Path
) -> None:
    collector = start(database)  # type: ignore[operator]
    batch = [{"event": "Tried", "timestamp": "2026-01-02T03:04:05Z", "n": n} for n in range(2500)]
    assert collector.post("/v1/batch", {"batch": batch, "sentAt": "2026-01-02T03:04:06Z"}).status == 200
    collector.verb("export", str(tmp_path / "out.jsonl.gz"))
    assert len(gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()).splitlines()) == 2500
    other = Collector(tmp_path, f"sqlite:///{tmp_path}/other.db")
    assert "2500 new" in other.verb("import", "--source", "moved", str(tmp_path / "out.jsonl.gz")).stderr
    assert " 0 new" in other.verb("import", "--source", "moved", str(tmp_path / "out.jsonl.gz")).stderr
    assert sorted(map(str, other.export())) == sorted(map(str, collector.export()))


def test_a_bad_line_is_named_by_number_and_not_shown(idle: Collector) -> None:
    lines = json.dumps({"type": "track", "event": "x"}) + "\n\n{secret\n"
    done = idle.verb("import", "--source", "s", "-", stdin=lines, code=1)
    assert "line 3" in done.stderr
    assert "secret" not in done.stderr


def test_only_an_import_of_something_makes_a_source_and_says_so(
    store: Store, database: str, tmp_path: Path
) -> None:
    idle = Collector(tmp_path, database)
    for nothing, code in (("", 0), ("{cut", 1)):
        done = idle.verb("import", "--source", "s", "-", stdin=nothing, code=code)
        assert "created" not in done.stderr
        assert store.all("SELECT name FROM sources") == []
    line = '{"event":"x","messageId":"m"}'
    assert "created the source 's'" in idle.verb("import", "--source", "s", "-", stdin=line).stderr
    assert "created" not in idle.verb("import", "--source", "s", "-", stdin=line).stderr
    assert store.all("SELECT name FROM sources") == [("s",)]


def test_what_stands_before_a_bad_line_or_a_damaged_place_is_kept(idle: Collector, tmp_path: Path) -> None:
    lines = "".join(json.dumps({"event": "x", "messageId": f"m{n}"}) + "\n" for n in range(500))
    assert "line 501" in idle.verb("import", "--source", "s", "-", stdin=lines + "{cut", code=1).stderr
    assert len(idle.export()) == 500
    packed = gzip.compress(lines.encode())
    for at in range(20, len(packed) - 20, len(packed) // 20):
        (tmp_path / "bad.gz").write_bytes(packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :])
        done = idle.verb("import", "--source", "s", str(tmp_path / "bad.gz"), code=1)
        assert done.stderr.count("\n") == 1, done.stderr
        assert "line" in done.stderr


def test_who_reads_no_further_is_told_nothing(idle: Collector) -> None:
    lines = "".join(json.dumps({"event": "x", "p": "x" * 1000}) + "\n" for _ in range(500))
    idle.verb("import", "--source", "s", "-", stdin=lines)
    with idle.popen("export", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(20) == 1


def test_no_key_looks_like_an_option(idle: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(["-" + "a" * 31, "b" * 32])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(made))
    store = open_store(idle.database)
    assert keys.add_key(store, "s", 0) == "b" * 32
    store.close()


@pytest.mark.parametrize("name", ["Instance Active", "Installation Started"])
def test_purge_keeps_who_was_heard_of_only_now(
    store: Store, database: str, tmp_path: Path, name: str
) -> None:
    """A site without a network brings what happened long ago; its events are young here."""
    idle = Collector(tmp_path, database)
    late = {"type": "track", "event": name, "anonymousId": "a", "timestamp": "2026-01-01T00:00:00Z"}
    line = json.dumps({**late, "context": {"installation": {"id": "r"}}})
    idle.verb("import", "--source", "s", "-", stdin=line)
    assert "0 events deleted" in idle.verb("purge", "--older-than", "30d").stderr
    runs = 0 if name == "Instance Active" else 1
    with store.transaction() as tx:
        tx.execute("INSERT INTO answered (source, run, at, by_user) SELECT source, id, 0, 'ada' FROM runs")
    assert store.all("SELECT count(*) FROM instances") == [(1,)]
    assert store.all("SELECT count(*) FROM runs") == [(runs,)]
    idle.verb("purge", "--older-than", "0s")
    assert not any(store.all(f"SELECT 1 FROM {table}") for table in ("instances", "runs", "answered"))


def test_purge_deletes_what_is_old_and_keeps_the_counters(
    store: Store, database: str, tmp_path: Path
) -> None:
    idle = Collector(tmp_path, database)
    old = {"type": "track", "event": "Instance Active", "anonymousId": "a", "messageId": "old"}
    old |= {"timestamp": "2026-01-01T00:00:00Z", "receivedAt": "2026-01-01T00:00:00Z"}
    new = {**old, "messageId": "new", "anonymousId": "b", "timestamp": None, "receivedAt": None}
    idle.verb("import", "--source", "s", "-", stdin=json.dumps(old) + "\n" + json.dumps(new))
    assert "1 events deleted" in idle.verb("purge", "--older-than", "30d").stderr
    assert [event["messageId"] for event in idle.export()] == ["new"]
    assert store.all("SELECT count(*) FROM instances") == [(1,)]
    assert int(store.all("SELECT sum(n) FROM daily")[0][0]) == 2


def test_long_work_shows_progress_on_a_terminal(idle: Collector, tmp_path: Path) -> None:
    idle.verb("import", "--source", "s", "-", stdin='{"event":"x"}\n' * 3)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "collector", "export", str(tmp_path / "out")]
    with subprocess.Popen(command, env=idle.environ(), cwd=ROOT, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        until(lambda: process.poll() is not None, 20)
        said += os.read(ours, 4096)
    os.close(ours)
    assert b"3 events written" in said


def test_a_migration_and_its_bookkeeping_are_one_transaction(store: Store) -> None:
    def broken(tx: Executes) -> None:
        tx.execute("CREATE TABLE half_made (id INTEGER)")
        raise RuntimeError

    with pytest.raises(RuntimeError), store.transaction() as tx:
        apply_migrations(tx, {made.__name__ for made in MIGRATIONS}, 0, (*MIGRATIONS, broken))
    assert {name for (name,) in store.all("SELECT name FROM migrations")} == {
        made.__name__ for made in MIGRATIONS
    }
    with store.transaction() as tx:
        tx.execute("CREATE TABLE half_made (id INTEGER)")


@pytest.mark.needs("postgresql")
def test_a_migration_may_take_longer_than_a_request(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(tx: Executes) -> None:
        tx.execute("SELECT pg_sleep(0.5)")

    database = cluster.database()
    monkeypatch.setattr(postgres, "STATEMENT_MS", 200)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, slow))
    store = open_store(database)
    assert ("slow",) in store.all("SELECT name FROM migrations")
    with pytest.raises(StoreUnavailable):
        store.all("SELECT pg_sleep(0.5)")
    store.close()


SIGTERM_BEFORE_IT_SERVES = """
import os, signal, sys
from collector import cli
from collector.serve import server
server.gc.freeze = lambda: os.kill(os.getpid(), signal.SIGTERM)
sys.exit(cli.main(["serve", "--listen", "127.0.0.1:0"]))
"""


def test_a_stop_that_comes_at_once_is_obeyed(idle: Collector) -> None:
    command = [sys.executable, "-c", SIGTERM_BEFORE_IT_SERVES]
    done = subprocess.run(command, env=idle.environ(), cwd=ROOT, capture_output=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


def test_a_database_opens_again_with_its_schema_as_it_is(database: str) -> None:
    for _ in range(2):
        opened = open_store(database)
        assert opened.all("SELECT count(*) FROM migrations") == [(len(MIGRATIONS),)]
        opened.close()


def test_every_setting_is_in_the_docs_and_in_help() -> None:
    page = (ROOT / "docs" / "collector.md").read_text()
    assert settings_table() in page
    for setting in SETTINGS:
        assert PREFIX + setting.name in build_parser().format_help()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("LISTEN", "127.0.0.1:65536"),
        ("PUBLIC_URL", "rollcall.example"),
        ("METRICS_ALLOW", "10.0.0.0/33"),
        ("RATE", "-1"),
        ("PEER_RATE", "inf"),
        ("MAX_CONNECTIONS", "0"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "3601"),
        ("MEMORY", "1.5"),
    ],
)
def test_a_setting_out_of_bounds_is_named_with_what_is_accepted(name: str, wrong: str) -> None:
    accepted = next(setting.accepted for setting in SETTINGS if setting.name == name)
    with pytest.raises(SettingError) as told:
        read_settings({PREFIX + name: wrong})
    assert str(told.value) == f"{PREFIX + name} from the environment: must be {accepted}"


@pytest.mark.parametrize(
    ("environ", "uid", "path"),
    [
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/x"}, 7, "/var/lib/a/collector.db"),
        ({"HOME": "/root"}, 0, "/var/lib/rollcall-collector/collector.db"),
        ({"HOME": "/x", "XDG_STATE_HOME": "/s"}, 7, "/s/rollcall-collector/collector.db"),
        ({"HOME": "/x y"}, 7, "/x%20y/.local/state/rollcall-collector/collector.db"),
    ],
)
def test_a_database_that_is_not_named_lies_where_state_does(
    environ: dict[str, str], uid: int, path: str
) -> None:
    assert default_database(environ, uid) == f"sqlite:///{path}"


def test_the_answers_in_the_docs_are_those_of_the_document() -> None:
    page = (ROOT / "docs" / "collector.md").read_text()
    table = page.partition("| status | means |")[2].partition("\n\n")[0]
    documented = {
        status for row in table.splitlines()[2:] for status in re.findall(r"\d{3}", row.split("|")[1])
    }
    assert documented == set(ANSWERS)


def test_defaults_parse_and_options_win_over_the_environment() -> None:
    assert read_settings({"HOME": "/x"}).listen == ("127.0.0.1", 8787)
    assert read_settings({PREFIX + "LISTEN": "[::1]:1"}, {"listen": "0.0.0.0:2"}).listen == ("0.0.0.0", 2)
    with pytest.raises(SettingError, match="--listen from the command line"):
        read_settings({}, {"listen": "x"})
