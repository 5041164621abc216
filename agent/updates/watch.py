"""The feed of this installation: whether it may be asked for, what is known of it, and asking."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from agent.events.catalogue import iso
from agent.updates.accept import Refused, check_newer, keys_of, read_signed
from agent.updates.match import ADVISORY, UNKNOWN, Verdict, match
from agent.updates.memory import new_memory, read_memory, write_memory

if TYPE_CHECKING:
    from agent.base.statedir import StateDir
    from agent.config.access import Access
    from agent.config.settings import Settings
    from agent.updates.feed import Feed
    from agent.updates.memory import Memory

ALL = 100


@dataclass(frozen=True)
class Known:
    """What the kept feed says of the version in use; no feed if none was taken yet."""

    memory: Memory
    feed: Feed | None
    verdict: Verdict
    stale: bool


def may_ask(settings: Settings) -> bool:
    """Whether the settings allow the question. Whether telemetry is on is asked elsewhere."""
    return settings.updates and bool(settings.updates_url and settings.updates_key)


def read_known(settings: Settings, state: StateDir, now: float) -> Known | None:
    """What was learned so far, verified once more; None if nothing was kept."""
    memory = read_memory(state)
    return None if memory is None else _judge(settings, memory, now)


def nothing_known(settings: Settings) -> Known:
    """Of an instance that has never asked."""
    return _judge(settings, new_memory(), 0)


def ask(settings: Settings, state: StateDir, access: Access, now: float) -> Known:
    """Ask the vendor's server for what is new. What fails is said in the memory's `trouble`."""
    from agent.updates.fetch import NotFetched, fetch_feed

    known = read_known(settings, state, now) or nothing_known(settings)
    kept = known.memory.feed.encode() if known.feed else None
    try:
        fetched = fetch_feed(settings.updates_url, access, kept)
        if fetched:
            known = _take(settings, known, fetched, now)
        known.memory.trouble = None
    except (NotFetched, Refused) as why:
        known.memory.trouble = str(why)
    known.memory.asked = now
    write_memory(state, known.memory, summary(settings, known))
    return known


def take_in(settings: Settings, state: StateDir, signed: tuple[bytes, bytes], now: float) -> Known:
    """Take a feed that somebody brought, with the same checks. Refused if it does not pass them."""
    known = read_known(settings, state, now) or nothing_known(settings)
    if not known.feed or signed[0] != known.memory.feed.encode():
        known = _take(settings, known, signed, now)
    known.memory.trouble = None
    write_memory(state, known.memory, summary(settings, known))
    return known


def summary(settings: Settings, known: Known) -> dict[str, object]:
    """What `updates --json` prints and `updates.json` has."""
    verdict, feed = known.verdict, known.feed
    return {
        "product": settings.product,
        "version": settings.product_version,
        "state": verdict.state if feed else UNKNOWN,
        "next": verdict.next and _camel(asdict(verdict.next)),
        "latest": verdict.latest and _camel(asdict(verdict.latest)),
        "advisories": [_camel(asdict(each)) for each in verdict.advisories],
        "sequence": feed.sequence if feed else None,
        "expires": iso(feed.expires) if feed else None,
        "stale": known.stale,
        "checkedAt": None if known.memory.asked is None else iso(known.memory.asked),
        "lastError": known.memory.trouble,
    }


def alarm(known: Known | None) -> str | None:
    """What is said where people look at a service's state: of advisories that are critical."""
    if known is None or known.verdict.state != ADVISORY:
        return None
    worst = known.verdict.advisories[0]
    return worst.id if worst.severity == "critical" else None


def _take(settings: Settings, known: Known, signed: tuple[bytes, bytes], now: float) -> Known:
    feed = read_signed(*signed, keys_of(settings.updates_key), settings.product)
    check_newer(feed, known.feed, now)
    memory = known.memory
    memory.feed, memory.signature = (part.decode() for part in signed)
    return _judge(settings, memory, now)


def _judge(settings: Settings, memory: Memory, now: float) -> Known:
    """What is kept was verified when it came, but keys, product and clock may be others now."""
    try:
        signed = memory.feed.encode(), memory.signature.encode()
        feed = read_signed(*signed, keys_of(settings.updates_key), settings.product) if memory.feed else None
    except (Refused, UnicodeEncodeError):
        feed = None
    if feed is None:
        return Known(memory, None, Verdict(UNKNOWN), stale=False)
    verdict = match(feed, settings.product_version, memory.phase * ALL)
    return Known(memory, feed, verdict, stale=feed.expires <= now)


def _camel(fields: dict[str, object]) -> dict[str, object]:
    names = {"minimum_from": "minimumFrom", "fixed_in": "fixedIn"}
    return {names.get(name, name): value for name, value in fields.items()}
