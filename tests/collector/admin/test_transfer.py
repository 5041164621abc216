"""Import, export and purge."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from collector.admin import keys, transfer
from collector.admin.comparison import DayCounts
from collector.ingest import decode
from collector.store import Stores, open_stores
from collector.store.sql import folding
from collector.verbs import event_files
from tests.collector.running import Collector
from tests.collector.store.contract.history import HOUR, NOW, pieces
from tests.collector.store.sql.test_arrival import beat


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
    assert "2500 new" in other.verb("import", str(tmp_path / "out.jsonl.gz")).stderr
    assert " 0 new" in other.verb("import", str(tmp_path / "out.jsonl.gz")).stderr
    assert sorted(map(str, other.export())) == sorted(map(str, collector.export()))


def test_an_export_of_two_sources_is_after_an_import_the_same_to_the_byte(
    stores: Stores, database: str, tmp_path: Path
) -> None:
    with stores.control.transaction() as tx:
        assert [keys.source_named(tx, name, NOW) for name in ("first", 'the "other"')] == [1, 2]
    told = [{"event": "x", "userId": "é", "messageId": f"{n * 7919 % 75}"} for n in range(150)]
    wide = [decode.read_event(one, "", n % 2 + 1, NOW + n * HOUR) for n, one in enumerate(told)]
    narrow = [beat(n, NOW + n * HOUR)._replace(source=n % 2 + 1) for n in range(40)]
    assert sum(map(stores.events.keep, pieces([*wide, *narrow], 15))) == 190
    written = tmp_path / "out.jsonl"
    Collector(tmp_path, database).verb("export", str(written))
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    assert Counter(line["rollcallSource"] for line in lines) == {"first": 95, 'the "other"': 95}
    other = Collector(tmp_path, f"sqlite:///{tmp_path}/other.db")
    done = other.verb("import", str(written))
    assert f"{len(lines)} new" in done.stderr
    assert "created the source 'first'" in done.stderr
    other.verb("export", str(tmp_path / "again.jsonl"))
    assert (tmp_path / "again.jsonl").read_bytes() == written.read_bytes()
    assert " 0 new" in other.verb("import", str(written)).stderr
    other.verb("import", "--source", "all", str(written))
    with closing(open_stores(other.database)) as imported:
        ids = {name: number for number, name in keys.name_sources(imported.control).items()}
        found = [source for piece in imported.events.export() for source, _ in piece]
    assert found.count(ids["all"]) == len({line["messageId"] for line in lines})


def test_a_line_that_names_no_source_needs_the_option(stores: Stores, database: str, tmp_path: Path) -> None:
    idle = Collector(tmp_path, database)
    lines = '{"event":"x","messageId":"1","rollcallSource":"s"}\n{"event":"x","messageId":"2"}'
    said = idle.verb("import", "-", stdin=lines, code=1).stderr
    assert "line 2 is rejected: the event names no source; name one with --source" in said
    assert stores.control.all("SELECT name FROM sources") == [("s",)]
    assert "1 new" in idle.verb("import", "--source", "s", "-", stdin=lines).stderr


def test_what_a_client_puts_into_the_field_of_an_export_is_not_stored(collector: Collector) -> None:
    told = {"event": "x", "userId": "u", "rollcallSource": "mine"}
    assert collector.post("/v1/track", told).status == 200
    assert collector.post("/v1/batch", {"batch": [told]}).status == 200
    assert [line["rollcallSource"] for line in collector.export()] == ["test", "test"]


def test_a_bad_line_is_named_by_number_and_not_shown(idle: Collector) -> None:
    lines = json.dumps({"type": "track", "event": "x"}) + "\n\n{secret\n"
    done = idle.verb("import", "--source", "s", "-", stdin=lines, code=1)
    assert "line 3" in done.stderr
    assert "secret" not in done.stderr


def test_a_bad_line_costs_no_other(idle: Collector) -> None:
    good = [json.dumps({"event": "x", "messageId": f"m{n}"}) for n in range(2)]
    too_long = json.dumps({"event": "x", "messageId": "long", "p": "x" * 3 * transfer.LONGEST_LINE})
    lines = [good[0], '{"type":"track"}', too_long, good[1]]
    said = idle.verb("import", "--source", "s", "-", stdin="\n".join(lines), code=1).stderr
    assert [line.partition(": ")[2] for line in said.splitlines()] == [
        "line 2 is rejected: a track event needs a name in `event`",
        f"line 3 is rejected: it is longer than {transfer.LONGEST_LINE} bytes",
        "created the source 's'",
        "4 events read, 2 new, 2 rejected",
        "mend the rejected lines and import the file again; an event with a messageId is kept once",
    ]
    assert {event["messageId"] for event in idle.export()} == {"m0", "m1"}
    lines[1:3] = ['{"type":"track","event":"mended","messageId":"m2"}']
    done = idle.verb("import", "--verify", "--source", "s", "-", stdin="\n".join(lines))
    assert "3 events read, 1 new\n" in done.stderr


def test_few_of_many_bad_lines_are_named_and_all_counted(idle: Collector) -> None:
    lines = '{"event":"x","messageId":"m"}\n' + "no event\n" * 5000
    said = idle.verb("import", "--verify", "--source", "s", "-", stdin=lines, code=1).stderr
    assert said.count("is rejected: ") == transfer.MOST_NAMED
    assert "5001 events read, 1 new, 5000 rejected\n" in said
    assert "each of 1 days has as many events" in said
    assert len(said) < 2000


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
    said = idle.verb("import", "--source", "s", "-", stdin=lines + "{cut", code=1).stderr
    assert "line 501" in said
    assert "501 events read, 500 new, 1 rejected\n" in said
    assert len(idle.export()) == 500
    packed = gzip.compress(lines.encode())
    for at in range(20, len(packed) - 20, len(packed) // 20):
        (tmp_path / "bad.gz").write_bytes(packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :])
        done = idle.verb("import", "--source", "s", str(tmp_path / "bad.gz"), code=1)
        assert "events read, " in done.stderr
        assert re.search(r"damaged after line \d+; what was read is stored\n", done.stderr)


def test_a_comparison_waits_for_what_another_collector_counts(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(folding, "LITTLE", 0)
    days, busy, fold = DayCounts(), iter([True, True]), stores.events.fold
    stores.events.keep(days.counted(iter([beat(number, NOW) for number in range(5)])))
    monkeypatch.setattr(stores.events, "fold", lambda: 0 if next(busy, False) else fold())
    event_files._verify(stores, days)
    assert "each of 1 days has as many events in the store as in the file" in capsys.readouterr().err


def test_an_event_whose_source_is_not_known_any_more_is_exported(stores: Stores) -> None:
    known, _ = keys.make_source(stores.control, "known", 0)
    stores.events.keep([beat(number, NOW)._replace(source=known + number) for number in range(2)])
    written = io.BytesIO()
    assert transfer.export_events(stores, written, lambda _: None) == 2
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {line["rollcallSource"] for line in lines} == {"known", f"source {known + 1}"}
