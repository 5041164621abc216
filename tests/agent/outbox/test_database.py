import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from agent.base.locks import hold_lock
from agent.base.statedir import StateDir
from agent.outbox import database, errors, opening
from agent.outbox.errors import OutboxError
from agent.outbox.outbox import Outbox, read_outbox
from tests.wait import PATIENCE

OPEN = """
import sys
from agent.outbox import opening
from agent.outbox.outbox import Outbox
from agent.base.statedir import StateDir
opening.LOCK_WAIT = float(sys.argv[3])
sys.stdin.readline()
box = Outbox(StateDir(sys.argv[1]))
box.record({"messageId": sys.argv[2], "event": "E", "properties": {}}, "")
"""


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    found = StateDir(str(tmp_path / "state"))
    found.make()
    return found


def record(state: StateDir, message: str) -> None:
    with closing(Outbox(state)) as box:
        assert box.record({"messageId": message, "event": "E", "properties": {}}, "")


def messages(state: StateDir) -> list[str]:
    with read_outbox(state) as reader:
        return [] if reader is None else [entry.message_id for entry in reader.entries()]


def garbage(state: StateDir) -> None:
    Path(state.outbox).write_bytes(b"not a database at all" * 1000)


def torn(state: StateDir) -> None:
    record(state, "old")
    data = Path(state.outbox).read_bytes()
    Path(state.outbox).write_bytes(data[:100] + b"\xa5" * (len(data) - 100))


def cut(state: StateDir) -> None:
    record(state, "old")
    os.truncate(state.outbox, 4096 + 100)


def newer(state: StateDir) -> None:
    record(state, "old")
    with closing(sqlite3.connect(state.outbox)) as db:
        db.execute("PRAGMA user_version = 99")


WHY = {"damaged": "is damaged", "newer": "was made by a newer version of Rollcall"}
UNSOUND = [(garbage, "damaged"), (torn, "damaged"), (newer, "newer")]


@pytest.mark.parametrize(("spoil", "word"), UNSOUND)
def test_an_unsound_database_is_set_aside_with_one_warning(
    state: StateDir, capfd: pytest.CaptureFixture[str], spoil: Callable[[StateDir], None], word: str
) -> None:
    spoil(state)
    before = Path(state.outbox).read_bytes()
    record(state, "new")
    assert messages(state) == ["new"]
    assert Path(f"{state.outbox}.{word}").read_bytes() == before
    record(state, "newer")
    path = state.outbox
    assert capfd.readouterr().err.splitlines() == [
        f"rollcall: {path} {WHY[word]}; it was renamed to {path}.{word}, and a new one was made"
    ]


def test_a_warning_that_cannot_be_said_costs_no_event(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage(state)
    with open("/dev/full", "w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        record(state, "new")
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
    assert messages(state) == ["new"]


@pytest.mark.parametrize(("spoil", "word"), UNSOUND)
def test_a_reader_of_an_unsound_database_gets_a_clear_line_and_changes_nothing(
    state: StateDir, spoil: Callable[[StateDir], None], word: str
) -> None:
    spoil(state)
    before = Path(state.outbox).read_bytes()
    with pytest.raises(OutboxError, match=f"outbox.db {WHY[word]}; with the next event it is renamed"):
        messages(state)
    assert Path(state.outbox).read_bytes() == before


def test_what_is_recorded_is_not_undone_by_a_power_cut(state: StateDir) -> None:
    """The last that happens is a sync of the folder, where the journal was: else a cut brings it back."""
    with closing(Outbox(state)) as box:
        assert box._database._db.execute("PRAGMA synchronous").fetchone() == (3,)  # EXTRA
        assert box._database._db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_database_that_was_cut_short_crashes_nobody(state: StateDir) -> None:
    cut(state)
    with pytest.raises(OutboxError):
        messages(state)
    record(state, "new")
    assert "new" in messages(state)


def first_page(state: StateDir, name: str) -> slice:
    """Where the first page of a table or an index is."""
    with closing(sqlite3.connect(state.outbox)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    return slice((page - 1) * 4096, page * 4096)


def replace(state: StateDir, where: slice, page: bytes) -> None:
    data = bytearray(Path(state.outbox).read_bytes())
    data[where] = page
    Path(state.outbox).write_bytes(data)


@pytest.mark.parametrize(
    ("part", "ask"),
    [
        ("product", lambda box: box.forget_version()),
        ("sqlite_autoindex_delivery_1", lambda box: box.trouble("https://a.example")),
    ],
)
def test_a_page_that_only_a_query_reads_is_missed_by_no_query(
    state: StateDir, capfd: pytest.CaptureFixture[str], part: str, ask: Callable[[Outbox], object]
) -> None:
    """Else each flush would end there, for ever, while changes succeed."""
    record(state, "old")
    replace(state, first_page(state, part), b"\xa5" * 4096)
    record(state, "unharmed")
    assert capfd.readouterr().err == ""
    with closing(Outbox(state)) as box:
        assert ask(box) is None
        assert box.count("waiting") == 0
    assert capfd.readouterr().err.count("is damaged; it was renamed to") == 1
    record(state, "new")
    assert messages(state) == ["new"]


def test_a_torn_row_is_found_behind_one_that_is_whole(
    state: StateDir, capfd: pytest.CaptureFixture[str]
) -> None:
    record(state, "whole")
    with closing(Outbox(state)) as box:
        box.record({"messageId": "torn", "event": "E", "properties": {"x": "x" * 9000}}, "")
    data = Path(state.outbox).read_bytes()
    pages = [data[at : at + 4096] for at in range(0, len(data), 4096)]
    spoilt = [b"\xa5" * 4096 if b"x" * 4000 in page else page for page in pages]
    assert spoilt != pages
    Path(state.outbox).write_bytes(b"".join(spoilt))
    with closing(Outbox(state)) as box:
        assert box.waiting_anywhere(after=0, limit=9) == []
    assert capfd.readouterr().err.count("is damaged; it was renamed to") == 1


def test_a_page_that_the_disk_never_wrote_is_found_too(
    state: StateDir, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each page is whole, but the indexes speak of a row that the table has not."""
    record(state, "old")
    where = first_page(state, "event")
    before = Path(state.outbox).read_bytes()[where]
    record(state, "lost")
    replace(state, where, before)
    with closing(Outbox(state)) as box:
        box.adopt("https://a.example")
        assert box.count("waiting") == 0
    assert capfd.readouterr().err.count("is damaged; it was renamed to") == 1
    record(state, "new")
    assert messages(state) == ["new"]


@pytest.mark.parametrize(("spoil", "word"), UNSOUND)
def test_several_processes_that_meet_it_at_once_all_keep_their_events(
    state: StateDir, spoil: Callable[[StateDir], None], word: str
) -> None:
    spoil(state)
    before = Path(state.outbox).read_bytes()
    command = [sys.executable, "-I", "-c", OPEN, state.path]
    running = [
        subprocess.Popen(
            [*command, f"m{number}", str(PATIENCE)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=PATIENCE)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 6, said
    assert sorted(messages(state)) == [f"m{number}" for number in range(6)]
    assert Path(f"{state.outbox}.{word}").read_bytes() == before
    assert "".join(said).count("was renamed") == 1


def open_and_stop(state: StateDir) -> None:
    with closing(Outbox(state)):
        pass


def set_aside_amid_a_change(state: StateDir) -> sqlite3.Connection:
    """What another process does: rename the outbox, begin a new one, and have a journal of it on disk."""
    other = StateDir(state.path + ".other")
    open_and_stop(other)
    os.rename(state.outbox, state.outbox + ".damaged")
    os.rename(other.outbox, state.outbox)
    db = sqlite3.connect(state.outbox, isolation_level=None)
    db.execute("PRAGMA cache_size = 1")
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE filler (text)")
    db.executemany("INSERT INTO filler VALUES (?)", [("x" * 4000,)] * 100)
    assert Path(state.outbox + "-journal").read_bytes()[:1] == b"\xd9"
    return db


def delete(state: StateDir) -> None:
    with database.between_transactions(state):
        pass


@pytest.mark.parametrize("use", [open_and_stop, delete])
@pytest.mark.parametrize("spoil", [garbage, torn])
def test_nobody_sets_it_aside_while_another_opens_it(
    state: StateDir,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[StateDir], None],
    use: Callable[[StateDir], None],
) -> None:
    """SQLite finds a journal by its name: the new file's would be played back into the one set aside."""
    opens = opening.open_file
    tried: list[bool] = []

    def meets_another(path: str, mode: str) -> sqlite3.Connection:
        db = opens(path, mode)
        if not tried:
            with hold_lock(state.lock, 0) as free:
                tried.append(free)
                if free:
                    others.enter_context(closing(set_aside_amid_a_change(state)))
        return db

    spoil(state)
    before = Path(state.outbox).read_bytes()
    for module in (opening, database):
        monkeypatch.setattr(module, "open_file", meets_another)
    with contextlib.ExitStack() as others:
        use(state)
        found = [Path(state.outbox + ending) for ending in (".damaged", "")]
        assert next(path for path in found if path.exists()).read_bytes() == before
    assert tried == [False]


@pytest.mark.parametrize("ask", [False, True])
def test_who_has_one_open_that_was_set_aside_leaves_it_and_the_new_ones_journal(
    state: StateDir, monkeypatch: pytest.MonkeyPatch, *, ask: bool
) -> None:
    record(state, "old")
    before = Path(state.outbox).read_bytes()
    with closing(Outbox(state)) as box:

        def use() -> object:
            return box.count("waiting") if ask else box.record({"messageId": "new", "event": "E"}, "")

        monkeypatch.setattr(opening, "LOCK_WAIT", 0)
        with closing(set_aside_amid_a_change(state)) as other:
            with pytest.raises(OutboxError, match="another process is using the outbox"):
                use()
            other.execute("COMMIT")
        assert Path(state.outbox + ".damaged").read_bytes() == before
        assert use() == (0 if ask else 1)
    assert messages(state) == ([] if ask else ["new"])


def test_an_event_whose_file_is_renamed_before_it_is_written_goes_into_the_new_one(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = opening.execute_patiently
    renamed: list[str] = []

    def renamed_after_it_began(db: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
        found = runs(db, statement)
        if not renamed:
            assert statement == "BEGIN IMMEDIATE"
            renamed.append(state.outbox + ".aside")
            os.rename(state.outbox, renamed[0])
        return found

    record(state, "old")
    monkeypatch.setattr(database, "execute_patiently", renamed_after_it_began)
    record(state, "new")
    assert renamed
    assert messages(state) == ["new"]


def test_one_that_is_set_aside_while_it_is_opened_is_made_anew(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens = opening.open_file
    gone: list[str] = []

    def late(path: str, mode: str) -> sqlite3.Connection:
        if not gone:
            gone.append(path)
            os.unlink(path)
        return opens(path, mode)

    record(state, "old")
    monkeypatch.setattr(opening, "open_file", late)
    record(state, "new")
    monkeypatch.undo()
    assert gone
    assert messages(state) == ["new"]


@pytest.mark.parametrize("at", ["opening", "COMMIT"])
def test_a_journal_that_another_process_took_is_no_loss(
    state: StateDir, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Who still holds a database that was set aside may take the new one's journal for its own."""
    record(state, "old")
    runs = opening.execute_patiently
    disturbed: list[str] = []

    def late(db: sqlite3.Connection, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        if disturbed or (at == "COMMIT") != (statement == "COMMIT"):
            return runs(db, statement, values)
        disturbed.append(statement)
        if statement == "COMMIT":
            runs(db, statement)
        raise sqlite3.OperationalError("disk I/O error")

    for module in (opening, database):
        monkeypatch.setattr(module, "execute_patiently", late)
    with closing(Outbox(state)) as box:
        box.record({"messageId": "new", "event": "E", "properties": {}}, "")
    assert disturbed
    assert sorted(messages(state)) == ["new", "old"]


def test_another_programs_database_is_left_alone(state: StateDir) -> None:
    with closing(sqlite3.connect(state.outbox)) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = Path(state.outbox).read_bytes()
    for use in (record, lambda state, _: messages(state)):
        with pytest.raises(OutboxError, match="belongs to another program; set ROLLCALL_STATE_DIR"):
            use(state, "x")
    assert Path(state.outbox).read_bytes() == before
    assert sorted(os.listdir(state.path)) == ["lock", "outbox.db"]


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_file_is_said_and_hangs_nobody(state: StateDir, kind: str) -> None:
    (os.mkdir if kind == "directory" else os.mkfifo)(state.outbox)
    for use in (record, lambda state, _: messages(state)):
        with pytest.raises(OutboxError, match=r"outbox.db is not a file; move it away"):
            use(state, "x")


def test_an_empty_file_is_an_outbox_that_was_never_used(state: StateDir) -> None:
    Path(state.outbox).touch()
    assert messages(state) == []
    record(state, "x")
    assert messages(state) == ["x"]


@pytest.mark.parametrize("name", ["a%20b?c#d&e", "with space", "Zoë", os.fsdecode(b"\xff\xfe")])
def test_a_state_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    for path in (tmp_path / name, Path(f"//{tmp_path}/2{name}")):
        state = StateDir(str(path))
        record(state, "x")
        assert messages(state) == ["x"]
        assert (path / "outbox.db").exists()


def test_a_symlink_planted_for_a_database_that_is_not_there_makes_nothing_elsewhere(state: StateDir) -> None:
    os.symlink("/proc/nowhere/outbox", state.outbox)
    with pytest.raises(OutboxError):
        record(state, "x")
    os.unlink(state.outbox)
    elsewhere = os.path.join(os.path.dirname(state.path), "elsewhere")
    os.symlink(elsewhere, state.outbox)
    with pytest.raises(OutboxError):
        record(state, "x")
    assert not os.path.exists(elsewhere)


def test_who_deletes_the_database_waits_for_a_change_in_progress(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LOCK_WAIT", 0.2)
    with database.between_transactions(state):
        pass
    record(state, "x")
    with closing(sqlite3.connect(state.outbox, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(OutboxError, match="another process is using the outbox"),
            database.between_transactions(state),
        ):
            raise AssertionError
    with database.between_transactions(state):
        os.unlink(state.outbox)
    garbage(state)
    with database.between_transactions(state):
        os.unlink(state.outbox)


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (
            PermissionError(13, "Permission denied", "/x"),
            "/x may not be read or written by this user; try it with sudo",
        ),
        (OSError(28, "No space left on device"), "the disk is full, so nothing can be stored"),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full, so nothing can be stored"),
        (
            sqlite3.OperationalError("database is locked"),
            "another process is using the outbox; try again",
        ),
        (sqlite3.OperationalError("disk I/O error"), "the outbox cannot be used (disk I/O error)"),
        (errors.Unsound("damaged"), "the outbox is damaged; try again"),
    ],
)
def test_whatever_goes_wrong_is_said_for_a_person(why: Exception, words: str) -> None:
    with pytest.raises(OutboxError) as caught, errors.plain_errors():
        raise why
    assert str(caught.value) == words
