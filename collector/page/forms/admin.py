"""Administration: users, write keys, API tokens, and the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from collector.admin import AdminError, audit, keys, tokens, users
from collector.admin.names import check_name
from collector.base.http import Answer
from collector.base.keep import Keep
from collector.page.access.visitor import Visitor
from collector.page.forms.form_types import FormRequest, sentence
from collector.page.frame import redirect
from collector.page.queries.sources import source_names
from collector.page.request import PageError
from collector.public.numbers import public_sources, set_public
from collector.store.values import Expired

LATEST = 50
DAY_SECONDS = 86_400


class NewSecret(NamedTuple):
    """A key or a token that was just made. It is shown this once."""

    kind: str
    name: str
    secret: str


def show_admin(form: FormRequest, wrong: str = "", made: NewSecret | None = None) -> Answer:
    """Everything that an admin manages; after an addition, the new secret."""
    _admin(form)
    expiry = form.stores.events.last_expiry()
    return form.page(
        "admin.html",
        wrong,
        made=made,
        kept=_kept(form.settings.keep, expiry.found),
        users=users.list_users(form.control),
        keys=keys.list_keys(form.stores, form.now),
        tokens=tokens.list_tokens(form.control),
        log=audit.latest_entries(form.control, LATEST),
        sources=source_names(form.control),
        public=public_sources(form.control),
        user_roles=users.ROLES,
        token_roles=tokens.ROLES,
        expiry=expiry,
        single_sign_on=bool(form.settings.auth_header),
    )


async def submit_admin(form: FormRequest) -> Answer:
    """Do what the form's field `action` names."""
    admin = _admin(form)
    action = _ACTIONS.get(form.fields.get("action", ""))
    if action is None:
        raise PageError(400, "This form is not known.")
    try:
        made = await action(form, admin.name)
    except AdminError as error:
        return await asyncio.to_thread(show_admin, form, sentence(error))
    if made is None:
        return redirect("/admin")
    return await asyncio.to_thread(show_admin, form, made=made)


def _admin(form: FormRequest) -> Visitor:
    """The visitor. PageError if they are no admin."""
    if form.visitor is None or not form.visitor.may_manage:
        raise PageError(403, "Only users with the role admin can see this.")
    return form.visitor


async def _add_user(form: FormRequest, by: str) -> None:
    name, role = form.fields.get("name", "").strip(), _one_of(users.ROLES, form.fields.get("role"))
    typed = form.new_password()
    password = None if form.settings.auth_header and not typed else typed
    add = partial(users.add_user, form.control, name, role, password, form.now)
    await form.signing.checks.run(partial(add, source=form.fields.get("source") or None, by=by), known=True)


async def _remove_user(form: FormRequest, by: str) -> None:
    name = form.fields.get("name", "")
    if name == by:
        raise AdminError("you cannot remove yourself; another admin can")
    await asyncio.to_thread(users.remove_user, form.control, name, form.now, by=by)


async def _add_key(form: FormRequest, by: str) -> NewSecret:
    name = form.fields.get("name", "").strip()
    check_name(name)
    key = await asyncio.to_thread(keys.add_key, form.control, name, form.now, by=by)
    return NewSecret("write key", name, key)


async def _revoke_key(form: FormRequest, by: str) -> None:
    await asyncio.to_thread(keys.revoke_key, form.control, form.fields.get("key", ""), form.now, by=by)


async def _add_token(form: FormRequest, by: str) -> NewSecret:
    name, role = form.fields.get("name", "").strip(), _one_of(tokens.ROLES, form.fields.get("role"))
    add = partial(tokens.add_token, form.control, name, role, form.fields.get("source") or None, form.now)
    return NewSecret("API token", name, await asyncio.to_thread(partial(add, by=by)))


async def _revoke_token(form: FormRequest, by: str) -> None:
    await asyncio.to_thread(tokens.revoke_token, form.control, form.fields.get("name", ""), form.now, by=by)


def _kept(keep: Keep, expired: Expired) -> list[tuple[str, str, int]]:
    """What is kept, for how long, and how much of it expired last."""
    return [
        ("Heartbeats", _days(keep.heartbeats), expired.beats),
        ("Other events", _days(keep.events), expired.events),
        ("E-mail addresses in requests for help", _days(keep.emails), expired.emails),
    ]


def _days(seconds: int) -> str:
    days = -(-seconds // DAY_SECONDS)  # days are kept whole
    return f"{days} day{'s' if days > 1 else ''}" if seconds else "for ever"


def _one_of(roles: tuple[str, ...], wanted: str | None) -> str:
    if wanted not in roles:
        raise AdminError(f"the role is one of {', '.join(roles)}")
    return wanted


async def _make_public(form: FormRequest, by: str) -> None:
    await asyncio.to_thread(_set_public, form, by, public=True)


async def _make_private(form: FormRequest, by: str) -> None:
    await asyncio.to_thread(_set_public, form, by, public=False)


def _set_public(form: FormRequest, by: str, *, public: bool) -> None:
    set_public(form.control, form.fields.get("source", ""), form.now, public=public, by=by)


_ACTIONS: dict[str, Callable[[FormRequest, str], Awaitable[NewSecret | None]]] = {
    "add-user": _add_user,
    "remove-user": _remove_user,
    "add-key": _add_key,
    "revoke-key": _revoke_key,
    "add-token": _add_token,
    "revoke-token": _revoke_token,
    "make-public": _make_public,
    "make-private": _make_private,
}
