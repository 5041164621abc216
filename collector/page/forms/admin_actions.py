"""What an admin changes on the page: each action is named by a form's field `action`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from collector.admin import AdminError, keys, tokens, users
from collector.admin.audit import record
from collector.alerts.channels import ChannelError, read_channels, send_test
from collector.base.written import FROM_ZERO, SIZE, read_rate, read_size
from collector.page.forms.form_types import FormRequest
from collector.public.numbers import set_public
from collector.releases.published import distrust_key

# What an action shows on the page; None if the page is only to be loaded again.
Shown = Mapping[str, Any] | None


class NewSecret(NamedTuple):
    """A key or a token that was just made. It is shown this once."""

    kind: str
    name: str
    secret: str


async def _add_user(form: FormRequest, by: str) -> Shown:
    name, role = form.fields.get("name", "").strip(), _one_of(users.ROLES, form.fields.get("role"))
    typed = form.new_password()
    password = None if form.settings.auth_header and not typed else typed
    add = partial(users.add_user, form.control, name, role, password, form.now)
    await form.signing.checks.run(partial(add, source=form.fields.get("source") or None, by=by), known=True)
    return None


def _remove_user(form: FormRequest, by: str) -> Shown:
    name = form.fields.get("name", "")
    if name == by:
        raise AdminError("you cannot remove yourself; another admin can")
    users.remove_user(form.control, name, form.now, by=by)
    return None


def _add_key(form: FormRequest, by: str) -> Shown:
    return {"made": new_key(form, by)}


def new_key(form: FormRequest, by: str) -> NewSecret:
    """Make a key for the source in the field `name`. AdminError if that is no name."""
    name = form.fields.get("name", "").strip()
    return NewSecret("write key", name, keys.add_key(form.control, name, form.now, by=by))


def _limit_key(form: FormRequest, by: str) -> Shown:
    limits = {
        "rate": _limit(form, "rate", read_rate, FROM_ZERO),
        "daily": _limit(form, "daily", read_size, SIZE),
    }
    keys.limit_key(form.control, form.fields.get("key", ""), limits, form.now, by=by)
    return None


def _limit(form: FormRequest, name: str, read: Callable[[str], float], accepted: str) -> float | None:
    """A limit as it was typed; None if nothing was."""
    text = form.fields.get(name, "").strip()
    try:
        return read(text) if text else None
    except ValueError:
        raise AdminError(f"{text!r} cannot be the limit; write {accepted}") from None


def _revoke_key(form: FormRequest, by: str) -> Shown:
    keys.revoke_key(form.control, form.fields.get("key", ""), form.now, by=by)
    return None


def _add_token(form: FormRequest, by: str) -> Shown:
    name, role = form.fields.get("name", "").strip(), _one_of(tokens.ROLES, form.fields.get("role"))
    source = form.fields.get("source") or None
    secret = tokens.add_token(form.control, name, role, source, form.now, by=by)
    return {"made": NewSecret("API token", name, secret)}


def _revoke_token(form: FormRequest, by: str) -> Shown:
    tokens.revoke_token(form.control, form.fields.get("name", ""), form.now, by=by)
    return None


def _set_public(form: FormRequest, by: str, *, public: bool) -> Shown:
    set_public(form.control, form.fields.get("source", ""), form.now, public=public, by=by)
    return None


def _distrust(form: FormRequest, by: str) -> Shown:
    distrust_key(form.control, form.fields.get("source", ""), form.fields.get("key", ""), form.now, by=by)
    return None


def _test_channels(form: FormRequest, by: str) -> Shown:
    try:
        channels = read_channels(form.settings.alerts_file)
    except ChannelError as error:
        raise AdminError(str(error)) from None
    tested = send_test(channels, form.settings.public_url)
    took = sum(took for _, took in tested)
    with form.control.transaction() as tx:
        record(tx, form.now, by, "tested alert channels", f"{took} of {len(tested)} took it")
    return {"tested": tested}


def _one_of(roles: tuple[str, ...], wanted: str | None) -> str:
    if wanted not in roles:
        raise AdminError(f"the role is one of {', '.join(roles)}")
    return wanted


_ACTIONS: dict[str, Callable[[FormRequest, str], Shown]] = {
    "remove-user": _remove_user,
    "add-key": _add_key,
    "limit-key": _limit_key,
    "revoke-key": _revoke_key,
    "add-token": _add_token,
    "revoke-token": _revoke_token,
    "make-public": partial(_set_public, public=True),
    "make-private": partial(_set_public, public=False),
    "distrust-key": _distrust,
    "test-channels": _test_channels,
}


def find_action(name: str) -> Callable[[FormRequest, str], Awaitable[Shown]] | None:
    """The action with this name. It takes the form and who sent it."""
    if name == "add-user":  # it waits for its turn to hash a password
        return _add_user
    action = _ACTIONS.get(name)
    if action is None:
        return None

    async def do(form: FormRequest, by: str) -> Shown:
        return await asyncio.to_thread(action, form, by)

    return do
