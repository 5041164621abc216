"""Looks what is wrong, and sends what is to be told: a thread beside the server.

Each collector has one. What one of them has noted or claimed in the control store, the others leave alone. If
the control store itself takes nothing, nothing can be claimed, and each collector tells it by itself.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

from collector.admin.keys import list_sources
from collector.alerts.book import begun_message, ended_message, note_troubles, open_alerts
from collector.alerts.channels import Channel, ChannelError, read_channels, send_to
from collector.alerts.digest import add_digest
from collector.alerts.limits import limits_of
from collector.alerts.messages import Message, StoredMessage, claim_message, note_taken, settle_message
from collector.alerts.rules import RULES, Watch
from collector.alerts.server_rules import away_trouble, room_troubles
from collector.alerts.troubles import SERVER, Trouble, span_text
from collector.base.background import BackgroundJob
from collector.ingest.disk import DiskWatch
from collector.settings import Settings
from collector.store import StoreError, Stores

logger = logging.getLogger("rollcall.collector")

FIRST_SECONDS, PAUSE_SECONDS = 5.0, 60.0
# A store that does not answer for a shorter time is no trouble.
AWAY_MS = 60_000
NAME = "Rollcall"
ROOM = frozenset({"filling", "refusing"})

# Sends to a channel: kind, title and text.
Send = Callable[[Channel, str, str, str], bool]


class Watcher(BackgroundJob):
    """Looks every minute, if a file of channels is set."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        disk: DiskWatch,
        *,
        now: Callable[[], float] = time.time,
        send: Send = send_to,
    ) -> None:
        super().__init__("alerts", FIRST_SECONDS)
        self._settings, self._stores, self._disk, self._send = settings, stores, disk, send
        self._clock = now
        self._control_away = Absence()
        self._events_away = Absence()
        self._told_away = False
        self._unknown: set[int] = set()  # sources of which the store did not say what is wrong
        self._digest_waits = False
        self._said = ""

    def step(self) -> float | None:
        """Look once, and send what is due."""
        if not self._settings.alerts_file:
            return None
        try:
            self.watch()
        except StoreError as error:
            self._say(f"alerts wait: {error}")
        except Exception as error:  # noqa: BLE001 - the thread must go on
            self._say(f"alerts failed with {type(error).__name__}")
        return PAUSE_SECONDS

    def watch(self) -> None:
        """Look, and send; what it raises is an error."""
        if self._control_works():
            self._add_digest()
            self._send_due()

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _look(self) -> None:
        now, control = self._now(), self._stores.control
        if self._store_answers(now):
            for source, name in list_sources(control):
                self._look_at(source, name, now)
        away = [away_trouble()] if self._events_away.lasts(now) else []
        note_troubles(control, SERVER, NAME, away, now, looked_for=frozenset({"away"}))

    def _store_answers(self, now: int) -> bool:
        """Whether the event store does. If so, note what is wrong with its room."""
        control = self._stores.control
        try:
            self._stores.events.ping()
            filling = any(one.kind == "filling" for one in open_alerts(control, SERVER))
            room = list(room_troubles(self._settings, self._stores, self._disk, filling))
        except StoreError:
            self._events_away.begin(now)
            return False
        self._events_away.end()
        note_troubles(control, SERVER, NAME, room, now, looked_for=ROOM)
        return True

    def _look_at(self, source: int, name: str, now: int) -> None:
        """Note what is wrong with a source. A question that takes too long is no store that is away."""
        try:
            found = list(self._troubles(source, name, now))
        except Exception as error:  # noqa: BLE001 - it costs no other source, and no message that waits
            self._note_unknown(source, name, error)
        else:
            self._unknown.discard(source)
            note_troubles(self._stores.control, source, name, found, now)

    def _note_unknown(self, source: int, name: str, error: Exception) -> None:
        if source not in self._unknown:
            logger.error("alerts of the source %r wait: %s", name, _words(error))
        self._unknown.add(source)

    def _add_digest(self) -> None:
        """Store the digest, if it is due. One that cannot be made now costs no message that waits."""
        try:
            add_digest(self._stores, self._settings.alerts_digest, self._now())
        except Exception as error:  # noqa: BLE001 - the next look tries again
            if not self._digest_waits:
                logger.error("the weekly digest waits: %s", _words(error))  # noqa: TRY400
            self._digest_waits = True
        else:
            self._digest_waits = False

    def _troubles(self, source: int, name: str, now: int) -> Iterator[Trouble]:
        begun = defaultdict(set)
        for alert in open_alerts(self._stores.control, source):
            begun[alert.kind].add(alert.subject)
        watch = Watch(self._stores, source, name, limits_of(self._stores.control, source), begun, now)
        for rule in RULES:
            self._go_on()
            yield from rule(watch)

    def _send_due(self) -> None:
        quiet, now = self._settings.alerts_quiet, self._now()
        only_urgent = quiet is not None and quiet.end_after(now) > now
        channels = self._channels()
        while channels and not self._stopping.is_set():
            message = claim_message(self._stores.control, now, self._now(), only_urgent=only_urgent)
            if message is None:
                return
            self._send_claimed(message, channels)

    def _send_claimed(self, message: StoredMessage, channels: list[Channel]) -> None:
        control, done = self._stores.control, message.done.split()
        for channel in channels:
            if channel.mark not in done and self._send(channel, message.kind, *self._words(message)):
                done.append(channel.mark)
                note_taken(control, message, " ".join(done))
        taken = all(channel.mark in done for channel in channels)
        if not taken:
            logger.warning("an alert was not taken by every channel; it is tried again for about three days")
        settle_message(control, message, self._now(), taken=taken)

    def _words(self, message: StoredMessage | Message) -> tuple[str, str]:
        """Title and text, with a link if the collector knows its address."""
        base = self._settings.public_url
        return message.title, f"{message.body}\n{base}{message.path}" if base else message.body

    def _channels(self) -> list[Channel]:
        try:
            channels = read_channels(self._settings.alerts_file)
        except ChannelError as error:
            self._say(f"no alert is sent: {error}")
            return []
        self._said = ""
        return channels

    def _control_works(self) -> bool:
        """Look, and note it in the control store. Whether that could be done; if not, it is told without it.

        A store that answers may take no changes: its disk is full, or can only be read.
        """
        now = self._now()
        try:
            self._stores.control.all("SELECT 1")
            self._look()
        except StoreError as error:
            self._say(f"alerts wait: {error}")
            self._control_away.begin(now)
            if self._control_away.lasts(now) and not self._told_away:
                self._told_away = True
                self._tell_all(begun_message(NAME, away_trouble()))
            return False
        if self._told_away:
            self._told_away = False
            lasted = span_text(now - (self._control_away.since or now))
            self._tell_all(ended_message(NAME, away_trouble().title, lasted, "/", urgent=True))
        self._control_away.end()
        return True

    def _tell_all(self, message: Message) -> None:
        for channel in self._channels():
            self._send(channel, message.kind, *self._words(message))

    def _say(self, text: str) -> None:
        if text != self._said:
            logger.error("%s", text)
            self._said = text


class Absence:
    """Since when something does not answer."""

    def __init__(self) -> None:
        self.since: int | None = None

    def begin(self, now: int) -> None:
        """It does not answer now."""
        if self.since is None:
            self.since = now

    def end(self) -> None:
        """It answers."""
        self.since = None

    def lasts(self, now: int) -> bool:
        """Whether it has not answered for so long that it is a trouble."""
        return self.since is not None and now - self.since >= AWAY_MS


def _words(error: Exception) -> str:
    """What may stand in a log: of another error its kind alone, for its text may be a client's."""
    return str(error) if isinstance(error, StoreError) else type(error).__name__
