"""Import, export and purge."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from collector.store import Stores
from tests.collector.running import Collector


def test_export_and_import_are_a_round_trip_and_import_is_idempotent(
    start: object, database: str, tmp_path: Path
) -> None:
    collector = start(database)  # type: ignore[operator]
    batch = [
        {"event": "Tried", "userId": "u", "timestamp": "2026-01-02T03:04:05Z", "n": n} for n in range(2500)
    ]
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
    stores: Stores, database: str, tmp_path: Path
) -> None:
    idle = Collector(tmp_path, database)
    for nothing, code in (("", 0), ("{cut", 1)):
        done = idle.verb("import", "--source", "s", "-", stdin=nothing, code=code)
        assert "created" not in done.stderr
        assert stores.control.all("SELECT name FROM sources") == []
    line = '{"event":"x","messageId":"m"}'
    assert "created the source 's'" in idle.verb("import", "--source", "s", "-", stdin=line).stderr
    assert "created" not in idle.verb("import", "--source", "s", "-", stdin=line).stderr
    assert stores.control.all("SELECT name FROM sources") == [("s",)]


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
