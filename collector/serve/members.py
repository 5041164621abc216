"""The API for members: they join, sign in by SRP, and read and change what only they can open.

Nothing here is secret to a stranger but the sessions: what a member writes is wrapped or public.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from collector.admin import AdminError, member_records
from collector.admin.tokens import token_access
from collector.base import http
from collector.base.http import Answer, Receive, Refused, Scope, Send
from collector.base.limits import RETRY_SECONDS
from collector.base.peers import peer_in
from collector.base.room import Holding, NoRoom, Room
from collector.ingest.allowance import Allowance
from collector.ingest.api import basic_key, json_error, refusal
from collector.ingest.decode import parse_object
from collector.ingest.memory import receive_body
from collector.page.access.checks import PasswordChecks
from collector.page.access.known import known_browser, new_mark
from collector.page.access.limits import Attempt, AttemptLimits
from collector.page.request import PageError
from collector.settings import Settings
from collector.store import ControlStore, StoreError

PREFIX = "/v1/members/"
MOST_BODY = 16 * 1024
MOST_CHANGE = 512 * 1024
# Memory for bodies; one peer may have half of it.
MEMORY = 2 * 2**20
LONGEST = {"name": 64, "public": 43, "authSalt": 32, "srpSalt": 32, "verifier": 800, "wrapped": 2000}
LONGEST_MARK = 200
_HEX = re.compile("[0-9a-f]{1,800}")

Body = Mapping[str, Any]
Found = dict[str, Any]


class Costly(NamedTuple):
    """Work that needs a core for a moment, and whether the machine that asks for it is a known one."""

    work: Callable[[], Found]
    known: bool


class MembersApi:
    """What members ask one server."""

    def __init__(
        self,
        settings: Settings,
        control: ControlStore,
        allowance: Allowance,
        now: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._settings, self._control, self._now = settings, control, now
        self._allowance, self._memory = allowance, Room(MEMORY, clock)
        self._limits, self._checks = AttemptLimits(clock), PasswordChecks()
        self._verbs: dict[str, Callable[[Body, str, str], Found | Costly]] = {
            "join": self._join,
            "begin": self._begin,
            "prove": self._prove,
            "state": self._state,
            "change": self._change,
        }

    async def __call__(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(path, scope, receive)
        except Refused as refused:
            answer = refusal(refused)
        except member_records.NotAllowed as why:
            answer = json_error(401, "not_allowed", str(why))
        except AdminError as why:
            answer = json_error(409, "not_done", str(why))
        except (KeyError, TypeError, ValueError):
            answer = json_error(400, "bad_body", "the body is not what this address takes")
        except StoreError:
            answer = refusal(Refused(503, "store_away", "the store does not answer", RETRY_SECONDS))
        except (NoRoom, PageError):  # too many sign in
            answer = refusal(Refused(503, "busy", "the server is busy; try again later", RETRY_SECONDS))
        except http.ClientGone:
            return
        await answer.send(send)

    async def _answer(self, path: str, scope: Scope, receive: Receive) -> Answer:
        verb = self._verbs.get(path.removeprefix(PREFIX))
        if verb is None:
            return json_error(404, "not_found", "see docs/support.md")
        if scope["method"] != "POST":
            return http.with_headers(json_error(405, "method", "use POST"), [(b"allow", b"POST")])
        peer = peer_in(scope, self._settings.trusted_proxies)
        self._allowance.check_peer(peer)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        held = Holding(self._memory, peer, task.cancel)
        size = 0
        try:
            token = basic_key(http.header(scope, b"authorization"))
            most = await asyncio.to_thread(self._longest_body, path, token)
            if http.declared_length(scope) > most:
                raise http.too_large(most)
            text = await receive_body(receive, most, held, hurried=True)
            size = len(text)
            found = await asyncio.to_thread(verb, parse_object(text), token, peer)
            if isinstance(found, Costly):
                found = await self._checks.run(found.work, known=found.known)
        finally:
            held.give_all()
            self._allowance.pay(None, peer, 0, size)
        return Answer(200, msgspec.json.encode({"success": True, **found}))

    def _longest_body(self, path: str, token: str) -> int:
        """How long the body may be. NotAllowed, before a long one is read, to who has no session."""
        if path != f"{PREFIX}change":
            return MOST_BODY
        self._signed_in(token)
        return MOST_CHANGE

    def _join(self, body: Body, token: str, _: str) -> Found:
        access = token_access(self._control, token) if token else None
        if access is None or access.role != "support" or access.source is not None:
            raise member_records.NotAllowed(
                "joining takes an API token with the role support, for all sources"
            )
        given = [_text(body, name) for name in LONGEST]
        if not all(_HEX.fullmatch(text) for text in given[2:5]):
            raise ValueError
        return {"first": member_records.join(self._control, member_records.Account(*given), self._now_ms())}

    def _begin(self, body: Body, _: str, peer: str) -> Costly:
        name, client = _text(body, "name"), _number(body, "client")
        attempt = self._attempt(body, name, peer)
        wait = self._limits.take(attempt)
        if wait:
            raise Refused(429, "rate_limited", "too many attempts to sign in; try again later", int(wait) + 1)
        return Costly(partial(self._challenge, name, client), bool(attempt.browser))

    def _challenge(self, name: str, client: int) -> Found:
        found = member_records.begin_sign_in(self._control, name, client, self._now_ms())
        return {
            "id": found.id,
            "authSalt": found.auth_salt,
            "srpSalt": found.srp_salt,
            "server": f"{found.public:x}",
        }

    def _prove(self, body: Body, _: str, peer: str) -> Costly:
        number, proof = _text(body, "id"), bytes.fromhex(_text(body, "proof", 64))
        known = "name" in body and bool(self._attempt(body, _text(body, "name"), peer).browser)
        return Costly(partial(self._session, body, number, proof, peer), known)

    def _session(self, body: Body, number: str, proof: bytes, peer: str) -> Found:
        found = member_records.finish_sign_in(self._control, number, proof, self._now_ms())
        attempt = self._attempt(body, found.name, peer)
        self._limits.give_back(attempt)
        known = "" if attempt.browser else new_mark(found.verifier)
        return {
            "answer": found.answer.hex(),
            "session": found.token,
            "wrapped": found.wrapped,
            "known": known,
        }

    def _attempt(self, body: Body, name: str, peer: str) -> Attempt:
        """Who tries to sign in: an address, or a machine where this member has signed in before."""
        mark = _text(body, "known", LONGEST_MARK) if body.get("known") else ""
        kept = member_records.stored_verifier(self._control, name) if mark else ""
        return Attempt(peer, name, known_browser(mark, kept))

    def _state(self, _: Body, token: str, __: str) -> Found:
        return member_records.read_state(self._control, self._signed_in(token))

    def _change(self, body: Body, token: str, _: str) -> Found:
        name = self._signed_in(token)
        member_records.change_members(
            self._control, name, msgspec.convert(body, member_records.Change), self._now_ms()
        )
        return {}

    def _signed_in(self, token: str) -> str:
        name = member_records.session_name(self._control, token, self._now_ms()) if token else None
        if name is None:
            raise member_records.NotAllowed("sign in first")
        return name

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _text(body: Body, name: str, most: int = 100) -> str:
    """A text of the body. No NUL: PostgreSQL takes none, and would seem to be away."""
    text = body[name]
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST.get(name, most) or "\0" in text:
        raise ValueError
    return text


def _number(body: Body, name: str) -> int:
    text = _text(body, name, 800)
    if not _HEX.fullmatch(text):
        raise ValueError
    return int(text, 16)
