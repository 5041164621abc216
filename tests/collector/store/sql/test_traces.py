"""After a purge of everything no table and no file has an id, an address, or what an event said."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from collector.base.events import Event
from collector.base.ids import key_of
from collector.base.personal import HIDDEN
from collector.ingest import decode
from collector.store import Stores, open_stores
from collector.store.database import Database
from collector.store.deletion import expire_events
from collector.store.values import Cutoffs

NOW = 1_795_168_800_000
MAIL, ADDRESS, ID = "ada@example.org", "203.0.113.9", "0193a2b4-1111-4222-8333-444455556666"
SAID = "what she wrote"


def personal(number: int) -> list[dict[str, Any]]:
    """An install that fails and asks for help, heartbeats, a usage event; addresses wherever they fit."""
    context = {
        "ip": ADDRESS,
        "app": {"name": "acme", "version": f"1.0-{MAIL}"},
        "os": {"name": f"linux of {MAIL}", "version": ADDRESS},
        "installation": {"id": f"{ID}-{number}"},
        "traits": {"ip": ADDRESS},
    }
    properties = {
        "reason": "exit",
        "script": f"{MAIL}.sh",
        "command": ADDRESS,
        "email": MAIL,
        "said": SAID * 30,
    }
    names = ["Installation Started", "Installation Errors", "Installation Support", "Instance Active"]
    return [
        {
            "type": "track",
            "event": name,
            "anonymousId": ID,
            "userId": MAIL,
            "messageId": f"{number} {name}",
            "context": context,
            "properties": properties,
        }
        for name in (*names, f"Signed up {MAIL}")
    ]


def dump(tables: Database, url: str) -> str:
    """Every row of every table, as text."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if url.startswith("postgresql"):
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    return "\n".join(repr(tables.all(f"SELECT * FROM {name}")) for (name,) in tables.all(sql))


def fill(stores: Stores) -> None:
    with stores.control.transaction() as tx:
        tx.execute("INSERT INTO sources (name, created) VALUES ('product', 0)")
        run = key_of(f"{ID}-1")
        tx.execute("INSERT INTO answered (source, run, at, by_user) VALUES (1, ?, 0, 'sam')", run)
    for number in range(100):
        events = [decode.read_event(event, "", 1, NOW - 1) for event in personal(number)]
        stores.events.keep([*events, *map(unmasked, events)])


def unmasked(event: Event) -> Event:
    """The event as an older version stored and counted it: with addresses in its name, version and place."""
    fact = event.fact and event.fact._replace(version=MAIL, os=ADDRESS, script=f"{MAIL}.sh")
    return event._replace(id=bytes(8) + event.id[8:], name=event.name.replace(HIDDEN, MAIL), fact=fact)


def test_no_table_has_anything_personal(stores: Stores, tables: Database, database: str) -> None:
    fill(stores)
    traces = [MAIL, ADDRESS, SAID, repr(key_of(ID)), repr(key_of(f"{ID}-1"))]
    before = dump(tables, database)
    assert [trace for trace in traces if trace not in before] == []
    expire_events(stores, Cutoffs.all_at(NOW), NOW, lambda _: None)
    after = dump(tables, database)
    assert [trace for trace in traces if trace in after] == []


def test_no_file_of_sqlite_has_anything_personal(tmp_path: Path) -> None:
    """Neither in the free pages of the database nor in its log."""
    traces = [MAIL.encode(), ADDRESS.encode(), SAID.encode(), key_of(ID)]
    with closing(open_stores(f"sqlite:///{tmp_path}/c.db")) as stores:
        fill(stores)
        assert all(trace in files(tmp_path) for trace in traces)
        expire_events(stores, Cutoffs.all_at(NOW), NOW, lambda _: None)
        assert [trace for trace in traces if trace in files(tmp_path)] == []


def files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())
