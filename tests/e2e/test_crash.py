"""Power cut, kill -9, full disk, read-only disk: what was recorded is there, and nothing is torn."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import environ
from tests.verbs import run_verb
from tests.wait import PATIENCE

WRITES = "pwrite64,fsync,fdatasync,ftruncate,unlink,rename"
LIFE = """
import os, sys
from agent.base import ids
from agent.base.clock import Now
from agent.events import catalogue as events
from agent.outbox.outbox import Outbox
from agent.base.statedir import StateDir
clock = [1_800_000_000.0]
up = [1000.0]
clocks = lambda: Now(up[0], clock[0], "this boot")
box = Outbox(StateDir(sys.argv[1]), now=lambda: clock[0], clocks=clocks)
def done(word, number):
    os.write(1, f"{word} {number}\\n".encode())
for number in range(6):
    message = ids.uuid7(clock[0])
    os.write(1, f"try {number} {message}\\n".encode())
    box.record({"messageId": message, "event": "Filled", "properties": {"number": number}}, "https://a.example")
    done("recorded", number)
    if number % 2:
        box.settle([box.waiting("https://a.example", limit=1)[0][0]], "sent")
        done("settled", number // 2)
clock[0] += 91 * 86400
up[0] += 91 * 86400
done("purging", 0)
box.purge()
done("purged", 0)
"""


@dataclass
class LastWords:
    """What a process said that it had done before it died."""

    said: str
    messages: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.words = Counter(line.split()[0] for line in self.said.splitlines())
        for number, message in re.findall(r"try (\d+) (\S+)\n", self.said):
            self.messages[int(number)] = message

    def numbers(self, word: str) -> set[int]:
        return {int(number) for number in re.findall(rf"^{word} (\d+)$", self.said, re.MULTILINE)}


def agent(state: Path, *verb: str, prefix: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    env = environ.covered(state.parent, ROLLCALL_STATE_DIR=str(state), ROLLCALL_USAGE_TELEMETRY="true")
    return run_verb(*verb, env=env, cwd=state.parent, prefix=prefix)


def live(state: Path, *strace: str) -> LastWords:
    """Record, settle and purge under strace, which may kill at a chosen call."""
    log = str(state.parent / "strace.log")
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", log, "-P", str(state), "-P", str(state / "outbox.db"),
         "-P", str(state / "outbox.db-journal"), "-e", f"trace={WRITES}", *strace,
         sys.executable, "-I", "-c", LIFE, str(state)],
        env=environ.bare(state.parent), capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return LastWords(done.stdout)


def assert_sound(state: Path, life: LastWords) -> None:
    """Nothing acknowledged is lost, nothing is doubled, the database is whole, and log answers."""
    shown = agent(state, "log", "--json")
    assert shown.returncode == 0, shown
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    if (state / "outbox.db").exists():
        with closing(sqlite3.connect(state / "outbox.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    states = {row["event"]["properties"]["number"]: row["state"] for row in rows}
    assert len(states) == len(rows)  # no event under two messageIds
    for row in rows:
        assert row["event"]["messageId"] == life.messages[row["event"]["properties"]["number"]]
    settled = life.numbers("settled")
    for number in life.numbers("recorded"):
        if number in settled and life.words["purging"]:
            assert states.get(number, "sent") == "sent"
        else:
            assert states[number] in ({"sent"} if number in settled else {"waiting", "sent"}), number
    if life.words["purged"]:
        assert set(states) == {3, 4, 5}
    assert not (state / "outbox.db.damaged").exists()


@pytest.mark.needs("strace")
@pytest.mark.timeout(1800)  # the long form has 200 lives
def test_a_kill_at_each_write_loses_nothing_that_was_recorded(tmp_path: Path, *, slow: bool) -> None:
    whole = live(tmp_path / "whole")
    assert_sound(tmp_path / "whole", whole)
    assert whole.words == {"try": 6, "recorded": 6, "settled": 3, "purging": 1, "purged": 1}
    calls = re.findall(r"^\d+ +(\w+)\(", (tmp_path / "strace.log").read_text(), re.MULTILINE)
    kills = min(200 if slow else 20, len(calls))
    last = ""
    for kill in range(kills):
        number = kill * len(calls) // kills
        call, nth = calls[number], calls[: number + 1].count(calls[number])
        (tmp_path / str(number)).mkdir()
        state = tmp_path / str(number) / "state"
        life = live(state, "-e", f"inject={call}:signal=SIGKILL:when={nth}")
        assert not life.words["purged"]  # it was killed
        assert_sound(state, life)
        assert len(life.said) >= len(last.splitlines())  # each kill is later than the one before
        last = life.said
        if kill % 10 == 0:
            after = agent(state, "track", "After")
            assert after.returncode == 0, after
            assert '"After"' in agent(state, "log", "--json").stdout
    print(f"{kills} kills at {len(calls)} writes")


@pytest.mark.needs("strace")
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EDQUOT"])
def test_a_write_that_fails_drops_the_event_says_so_and_recovers(
    tmp_path: Path, error: str, *, slow: bool
) -> None:
    state = tmp_path / "state"
    assert agent(state, "track", "Before").returncode == 0
    paths = ("-P", str(state / "outbox.db"), "-P", str(state / "outbox.db-journal"))
    for number in range(1, 40 if slow else 12):
        inject = (
            "-e",
            f"trace={WRITES}",
            "-e",
            f"inject=pwrite64,fsync,fdatasync:error={error}:when={number}+",
        )
        done = agent(
            state,
            "track",
            f"Event{number}",
            prefix=("strace", "-f", "-qq", "-o", "/dev/null", *paths, *inject),
        )
        shown = agent(state, "log", "--json")
        assert shown.returncode == 0, shown
        kept = f'"Event{number}"' in shown.stdout
        if not kept:
            assert done.returncode == 1
            assert len(done.stderr.splitlines()) == 1
            assert done.stderr.startswith("rollcall: the ")
            if error == "ENOSPC" and "I/O" not in done.stderr:
                assert "the disk is full, so nothing can be stored" in done.stderr
        assert '"Before"' in shown.stdout
        with closing(sqlite3.connect(state / "outbox.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert agent(state, "track", "After").returncode == 0
    assert '"After"' in agent(state, "log", "--json").stdout


FULL = """
import os, sys
from agent.outbox.errors import OutboxError
from agent.outbox.outbox import Outbox
from agent.base.statedir import StateDir
path = sys.argv[1] + "/state"
box, kept = Outbox(StateDir(path)), []
def event(number):
    return {"messageId": f"m{number}", "event": "E", "properties": {"x": "x" * 5000}}
with open(sys.argv[1] + "/ballast", "wb") as ballast:
    ballast.write(b"x" * 400_000)
for number in range(1000):
    try:
        box.record(event(number), "")
    except OutboxError as why:
        print(why)
        break
    kept.append(f"m{number}")
assert len(kept) > 5, kept
for number in range(2000, 2003):
    try:
        box.record(event(number), "")
        raise SystemExit("there was room")
    except OutboxError:
        pass
assert [entry.message_id for entry in box.entries()] == kept
os.unlink(sys.argv[1] + "/ballast")
assert box.record(event(3000), "")
assert [entry.message_id for entry in box.entries()] == [*kept, "m3000"]
assert box._database._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
print("recovered")
"""


def in_a_mount_of_its_own(options: str, folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run sh in a private mount namespace with a tmpfs at the folder; the machine's mounts are untouched."""
    folder.mkdir(exist_ok=True)
    loud = {"ROLLCALL_STATE_DIR": f"{folder}/state", "ROLLCALL_USAGE_TELEMETRY": "true"}
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
         f'mount -t tmpfs -o {options} none "$0"; {script}', str(folder), sys.executable, FULL],
        env=environ.bare(folder.parent, **loud),
        cwd=folder.parent, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.needs("unshare")
def test_a_full_disk_drops_the_event_says_so_and_recovers(tmp_path: Path) -> None:
    done = in_a_mount_of_its_own("size=1m", tmp_path / "disk", '"$1" -I -c "$2" "$0"')
    assert done.stdout.splitlines() == ["the disk is full, so nothing can be stored", "recovered"], done


@pytest.mark.needs("unshare")
def test_a_disk_that_is_full_from_the_start_is_one_line_from_every_verb(tmp_path: Path) -> None:
    verbs = (
        'for verb in "track E" beat status log disable; do "$1" -I -m agent $verb >/dev/null || true; done'
    )
    script = 'mkdir "$0/etc"; export XDG_CONFIG_HOME="$0/etc" ROLLCALL_ENV_FILE="$0/etc/docker.env"; '
    script += f'dd if=/dev/zero of="$0/x" bs=4k 2>/dev/null || true; {verbs}'
    done = in_a_mount_of_its_own("size=64k", tmp_path / "disk", script)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "error in rollcall itself" not in done.stderr
    assert done.stderr.count("the disk is full") >= 2 or done.stderr.count("No space left on device") >= 2, (
        done
    )


@pytest.mark.needs("unshare")
def test_a_read_only_disk_is_read_and_said(tmp_path: Path) -> None:
    script = (
        '"$1" -I -m agent track Before; mount -o remount,ro "$0"; '
        'for verb in "status --json" "log --json" "track E" beat flush forget; do '
        'code=0; "$1" -I -m agent $verb || code=$?; echo "code $code"; done'
    )
    done = in_a_mount_of_its_own("size=1m", tmp_path / "disk", script)
    assert "Traceback" not in done.stderr
    assert "error in rollcall itself" not in done.stderr
    status, zero, log, *codes = done.stdout.splitlines()
    assert json.loads(status)["waiting"] == 1
    assert json.loads(log)["event"]["event"] == "Before"
    assert (zero, codes) == ("code 0", ["code 0", "code 1", "code 1", "code 0", "code 1"]), done
    assert "ead-only" in done.stderr or "readonly" in done.stderr


def test_a_journal_left_by_a_kill_is_no_obstacle_to_a_reader(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert agent(state, "track", "Before").returncode == 0
    script = "import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    script += "db.execute('PRAGMA cache_size = 1')\ndb.execute('BEGIN')\n"
    script += "db.executemany('INSERT INTO counter VALUES (?, 1)', [(str(n) * 900,) for n in range(200)])\n"
    script += "os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script, str(state / "outbox.db")], check=False, timeout=PATIENCE)
    assert os.path.getsize(state / "outbox.db-journal") > 0
    shown = agent(state, "log", "--json")
    assert (shown.returncode, shown.stdout.count('"Before"')) == (0, 1)
