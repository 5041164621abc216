"""The page before the first event: how to send one. An admin makes the first write key right there."""

from __future__ import annotations

import asyncio

from collector.admin import AdminError, keys
from collector.base import http
from collector.base.http import Answer
from collector.page.forms.admin_actions import NewSecret, new_key
from collector.page.forms.form_types import FormRequest, sentence
from collector.page.frame import redirect, refresh_after
from collector.page.request import PageError, base_address

REFRESH_SECONDS = 3


def show_start(_: FormRequest) -> Answer:
    """Go to the overview, which is this page until an event arrives."""
    return redirect("/")


def show_greeting(form: FormRequest, wrong: str = "", made: NewSecret | None = None) -> Answer:
    """How to send. It loads again by itself, unless something is typed into it or copied from it."""
    wanted = form.request.query.get("key") == "new" or not keys.any_key(form.control)
    asks = made is None and wanted and _may_manage(form)
    refresh = 0 if asks or made else REFRESH_SECONDS
    base = base_address(form.settings, form.request)
    shown = form.page("empty.html", wrong, base=base, asks=asks, made=made, refresh=refresh)
    return http.with_headers(shown, [refresh_after(refresh)]) if refresh else shown


async def submit_start(form: FormRequest) -> Answer:
    """Make a write key, and show it this once in the lines that it belongs to."""
    if form.visitor is None or not _may_manage(form):
        raise PageError(403, "Only users with the role admin can add a write key.")
    try:
        made = await asyncio.to_thread(new_key, form, form.visitor.name)
    except AdminError as error:
        return await asyncio.to_thread(show_greeting, form, sentence(error))
    return await asyncio.to_thread(show_greeting, form, made=made)


def _may_manage(form: FormRequest) -> bool:
    return form.visitor is not None and form.visitor.may_manage
