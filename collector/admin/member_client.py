"""Members of support, from their own machines: join, sign in, say yes to another, remove one.

The collector is not trusted. A member's own note names the support keys that were compared by voice, or made
here. A key that is not in it is refused, and so is a roster that its code does not fit.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector.admin import AdminError, member_keys
from collector.admin.member_keys import Key, fingerprint
from collector.admin.remote import Remote
from collector.base.srp import GROUP, Client, SrpError

API = "/v1/members/"
LONGEST_MARK = 200


@dataclass
class Note:
    """What a member's machine remembers: no secret, but what must not be swapped."""

    path: Path
    collector: str = ""
    name: str = ""
    keys: list[str] = field(default_factory=list)
    """Thumbprints of the support keys that may be used, the current one last."""
    known: str = ""
    """Says that we have signed in here before; guesses from elsewhere then do not keep us out."""
    revision: int = 0
    """Of the newest roster that was seen here."""

    @classmethod
    def read(cls, path: Path) -> Note:
        """The note. AdminError without one."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            keys = [str(key) for key in found["keys"]]
            known, revision = str(found.get("known", "")), int(found.get("revision", 0))
            return cls(path, str(found["collector"]), str(found["name"]), keys, known, revision)
        except FileNotFoundError:
            raise AdminError(
                "this machine is no member's; run: rollcall-collector members join NAME"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise AdminError(f"{path} cannot be read") from None

    def save(self) -> None:
        kept = {name: value for name, value in vars(self).items() if name != "path"}
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        new.chmod(0o600)
        new.replace(self.path)


@dataclass(frozen=True)
class Person:
    """Somebody whom the collector names as a member, or as waiting."""

    name: str
    public: str
    state: str

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.name, self.public)


def join(note: Note, token: str, passphrase: str) -> tuple[str, bool]:
    """Make a pair of keys, and hand over what the collector may have. Also says whether we are first."""
    if note.path.exists():
        raise AdminError(f"this machine is a member's already: {note.path}")
    if len(passphrase) < member_keys.SHORTEST_PASSPHRASE:
        raise AdminError(f"the passphrase must have {member_keys.SHORTEST_PASSPHRASE} characters or more")
    key = Key.new()
    auth_salt, srp_salt = (secrets.token_hex(member_keys.SALT_BYTES) for _ in range(2))
    secret = member_keys.sign_in_secret(passphrase, auth_salt)
    given = {
        "name": note.name,
        "public": key.public,
        "authSalt": auth_salt,
        "srpSalt": srp_salt,
        "verifier": f"{GROUP.verifier(note.name, secret, bytes.fromhex(srp_salt)):x}",
        "wrapped": member_keys.wrap(key, note.name, passphrase),
    }
    first = Remote(note.collector, token).post(f"{API}join", given).get("first") is True
    note.save()
    if first:
        sign_in(note, passphrase).begin_group()
    return fingerprint(note.name, key.public), first


def sign_in(note: Note, passphrase: str) -> Member:
    """Prove the passphrase without sending it, check the collector's own proof, and unwrap our key."""
    remote, client = Remote(note.collector), Client(note.name)
    asked = {"name": note.name, "known": note.known}
    begun = remote.post(f"{API}begin", {**asked, "client": f"{client.public:x}"})
    try:
        secret = member_keys.sign_in_secret(passphrase, str(begun["authSalt"]))
        proof = client.prove(secret, bytes.fromhex(begun["srpSalt"]), int(begun["server"], 16))
        done = remote.post(f"{API}prove", {**asked, "id": str(begun["id"]), "proof": proof.hex()})
        client.check(bytes.fromhex(done["answer"]))
        key = member_keys.unwrap(str(done["wrapped"]), note.name, passphrase)
        if done.get("known"):
            note.known = str(done["known"])[:LONGEST_MARK]
            note.save()
        return Member(note, Remote(note.collector, str(done["session"])), key)
    except SrpError as why:
        raise AdminError(str(why)) from None
    except (KeyError, TypeError, ValueError):
        raise AdminError("the collector does not answer as a collector does") from None


class Member:
    """A member who has signed in."""

    def __init__(self, note: Note, remote: Remote, key: Key) -> None:
        self.note, self.remote, self.key = note, remote, key

    def begin_group(self) -> None:
        """Make the first support key; this member is the only one."""
        group = Key.new()
        self._change(0, group, {self.note.name: self.key.public}, [group])

    def people(self) -> list[Person]:
        """Whom the collector names. Only the roster says who is a member indeed."""
        return _people(self._state())

    def support_keys(self) -> dict[str, Key]:
        """The support keys that we may use, by thumbprint; each was compared or made here."""
        return self._keys(self._state())

    def current_key(self) -> Key:
        """The key that bundles are to be sealed for. AdminError if the collector presents another one."""
        return self._group(self._state())

    def approve(self, name: str, compared: str) -> None:
        """Say yes to somebody whose fingerprint was compared by voice. AdminError if it is another key's."""
        state = self._state()
        group = self._group(state)
        found = next((one for one in _people(state) if one.name == name), None)
        if found is None:
            raise AdminError(f"nobody waits who is called {name!r}")
        if not hmac.compare_digest(_plain(compared), _plain(found.fingerprint)):
            raise AdminError(
                f"the collector has another key for {name!r} than the one that you compared: its fingerprint"
                f" is {found.fingerprint}. Do not go on: somebody swaps keys"
            )
        people = {**self._roster(state, group), name: found.public}
        self._change(state["roster"]["revision"], group, people, self._keys(state).values())

    def remove(self, name: str, *, keep_key: bool) -> Key:
        """Remove a member; the support key from now on. It is a new one unless only a passphrase was lost."""
        state = self._state()
        group = self._group(state)
        people = self._roster(state, group)
        if name == self.note.name:
            raise AdminError("another member has to remove you")
        left = {one: public for one, public in people.items() if one != name}
        keep_key = keep_key or name not in people  # somebody who was never let in
        after = group if keep_key else Key.new()
        keys = [*self._keys(state).values(), *([] if keep_key else [after])]
        self._change(state["roster"]["revision"], after, left, keys, removed=[name])
        return after

    def trust(self, thumbprint: str) -> None:
        """Use a support key whose thumbprint was compared with another member or with what is shipped."""
        state = self._state()
        if state["roster"] is None or state["roster"]["current"] != thumbprint:
            raise AdminError("this is not the collector's support key; compare it again")
        if thumbprint not in state["links"]:
            raise AdminError("no member has said yes to you yet, so there is no link to this key for you")
        opened = self._opened(state["links"][thumbprint], thumbprint)
        self._roster(state, opened)
        self.note.keys = [key for key in self.note.keys if key != thumbprint] + [thumbprint]
        self.note.save()

    def _state(self) -> dict[str, Any]:
        state = self.remote.post(f"{API}state", {})
        shaped = isinstance(state.get("links"), dict) and isinstance(state.get("accounts"), list)
        if not shaped or not _is_roster(state.setdefault("roster", None)):
            raise AdminError("the collector does not answer as a collector does")
        return state

    def _keys(self, state: dict[str, Any]) -> dict[str, Key]:
        links = state["links"]
        return {key: self._opened(links[key], key) for key in self.note.keys if key in links}

    def _opened(self, link: str, thumbprint: str) -> Key:
        """The key in a link. AdminError if it is another one than it is said to be."""
        found = Key.of_private(self.key.open(str(link)))
        if found.thumbprint != thumbprint:
            raise AdminError("the collector has put another key into a link: it is not the one that is named")
        return found

    def _group(self, state: dict[str, Any]) -> Key:
        """The current support key."""
        current = (state.get("roster") or {}).get("current")
        if current is None or not self.note.keys:
            raise AdminError(
                "this machine knows no support key yet; once a member has said yes to you, compare its"
                " thumbprint with them, and run: rollcall-collector members trust THUMBPRINT"
            )
        if current in self.note.keys[:-1]:
            raise AdminError("the collector presents a support key that was replaced; do not go on")
        if current != self.note.keys[-1]:
            raise AdminError(
                f"the collector presents a new support key, {current}; compare it with the member who made"
                " it, and run: rollcall-collector members trust THUMBPRINT"
            )
        keys = self._keys(state)
        if current not in keys:
            raise AdminError("there is no link to the support key for you; ask another member")
        return keys[current]

    def _roster(self, state: dict[str, Any], group: Key) -> dict[str, str]:
        """The members and their public keys. AdminError if it is old, somebody else's, or without us."""
        roster = state["roster"]
        text, code = str(roster.get("text")), str(roster.get("code"))
        if not hmac.compare_digest(code, member_keys.roster_code(group, text)):
            raise AdminError("the list of members was changed by somebody who is none; do not go on")
        told = json.loads(text)
        revision = told.get("revision", 0)  # lists of older collectors have none
        if not isinstance(revision, int):
            raise AdminError("the list of members has no number; do not go on")
        if revision < self.note.revision:
            raise AdminError("the collector presents a list of members that was replaced; do not go on")
        if revision > self.note.revision:
            self.note.revision = revision
            self.note.save()
        found: dict[str, str] = told["members"]
        if found.get(self.note.name) != self.key.public:
            raise AdminError("the list of members has another key for you than yours")
        return found

    def _change(
        self,
        revision: int,
        group: Key,
        people: dict[str, str],
        keys: Iterable[Key],
        removed: Iterable[str] = (),
    ) -> None:
        """Write the next roster, and a link to each key for each member."""
        number = self.note.revision + 1
        text = json.dumps({"key": group.thumbprint, "revision": number, "members": people})
        links = {
            key.thumbprint: {name: Key.of_public(public).seal(key.private) for name, public in people.items()}
            for key in keys
        }
        body = {
            "revision": revision,
            "current": group.thumbprint,
            "text": text,
            "code": member_keys.roster_code(group, text),
            "names": list(people),
            "links": links,
            "removed": list(removed),
        }
        if group.thumbprint not in self.note.keys:
            self.note.keys.append(group.thumbprint)
        self.remote.post(f"{API}change", body)
        self.note.revision = number
        self.note.save()


def _is_roster(found: object) -> bool:
    """Whether this may be a roster, or that there is none yet. What is shown of it must be to be seen."""
    if not isinstance(found, dict):
        return found is None
    return isinstance(found.get("revision"), int) and str(found.get("current")).isprintable()


def _people(state: dict[str, Any]) -> list[Person]:
    try:
        found = [Person(str(one["name"]), str(one["public"]), str(one["state"])) for one in state["accounts"]]
    except (KeyError, TypeError):
        raise AdminError("the collector does not answer as a collector does") from None
    if not all(f"{one.name}{one.state}".isprintable() for one in found):  # a terminal would obey it
        raise AdminError("the collector does not answer as a collector does")
    return found


def _plain(text: str) -> str:
    return text.replace("-", "").replace(" ", "").upper()
