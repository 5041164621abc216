"""Signing in and out."""

from __future__ import annotations

import asyncio

from collector.admin import users
from collector.base.http import Answer
from collector.page.access.cookies import SESSION
from collector.page.forms.form_types import FormRequest
from collector.page.forms.setup import CLOSED
from collector.page.frame import redirect, safe_path
from collector.page.request import PageError


def show_sign_in(form: FormRequest, wrong: str = "") -> Answer:
    """The form for name and password. PageError while no user exists."""
    if form.visitor is not None:
        return redirect("/")
    if not users.any_user(form.control):
        raise PageError(403, CLOSED)
    target = safe_path(form.fields.get("next") or form.request.query.get("next"))
    return form.page("signin.html", wrong, name=form.fields.get("name", ""), next=target)


async def submit_sign_in(form: FormRequest) -> Answer:
    """Begin a session if name and password are right."""
    name = form.fields.get("name", "")
    checked = await form.signing.right_hash(form.request, name, form.fields.get("password", ""), form.now)
    if not checked:
        return await asyncio.to_thread(show_sign_in, form, "The name or the password is wrong.")
    cookies = await form.signing.begin(form.request, name, form.now, checked)
    return redirect(safe_path(form.fields.get("next")), *cookies)


def show_nothing(_: FormRequest) -> Answer:
    raise PageError(405, "This address only takes a form.")


async def submit_sign_out(form: FormRequest) -> Answer:
    """End the session."""
    await asyncio.to_thread(form.signing.sign_out, form.request)
    return redirect("/signin", SESSION.write(form.request, ""))
