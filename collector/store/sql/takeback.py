"""Take back what an instance or a run has added to the counters.

What is taken away may be gone already, because counters expire: then nothing is put in its place.
"""

from __future__ import annotations

from collector.store import schema
from collector.store.database import Transaction
from collector.store.rollups import Ledger, count_instance, count_run
from collector.store.rows import InstanceRow, RunRow
from collector.store.scope import is_total
from collector.store.sql.admission import admit_words, placed_words


def replace_instance(ledger: Ledger, old: InstanceRow, new: InstanceRow | None) -> None:
    """Count the instance as the new row says; nowhere, if there is none."""
    count_instance(ledger, old, -1)
    if new is not None:
        count_instance(ledger, new, 1)
        ledger.instances[new.source, new.id] = new


def replace_run(ledger: Ledger, old: RunRow, new: RunRow | None) -> None:
    """Count the run as the new row says; nowhere, if there is none."""
    count_run(ledger, old, -1)
    if new is not None:
        count_run(ledger, new, 1)
        ledger.runs[new.source, new.id] = new


def write_changes(tx: Transaction, ledger: Ledger) -> None:
    """Write the ledger, with numbers below zero as well."""
    added = {key[:4] for key, n in ledger.outcomes.items() if n > 0 and not is_total(key[1])}
    admitted = admit_words(tx, added) | placed_words(tx, ledger.words() - added)
    for table, rows in ledger.changes(admitted):
        if table.on_conflict != "add" or table is schema.ACTIVE:
            tx.upsert(table, rows)
            continue
        where = " AND ".join(f"{name} = ?" for name in table.key)
        for row in rows:
            *key, n = row
            if n > 0:
                tx.upsert(table, [row])
            elif tx.execute(f"UPDATE {table.name} SET n = n + ? WHERE {where}", n, *key):
                tx.execute(f"DELETE FROM {table.name} WHERE {where} AND n = 0", *key)
