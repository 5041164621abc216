"""The limits of a source's alerts. The view Alerts has the form."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

from collector.admin import AdminError
from collector.admin.keys import find_source
from collector.alerts.limits import set_limits
from collector.base.http import Answer
from collector.page.forms.form_types import FormRequest, sentence
from collector.page.frame import redirect
from collector.page.request import PageError


def show_limits(form: FormRequest) -> Answer:
    """Go to the view with the form."""
    return redirect(_view(form.request.query.get("source", "")))


async def submit_limits(form: FormRequest) -> Answer:
    """Set the limits, and go back to the view."""
    visitor = form.visitor
    if visitor is None or not visitor.may_manage:
        raise PageError(403, "Only users with the role admin can set limits.")
    try:
        await asyncio.to_thread(_set, form, visitor.name)
    except AdminError as error:
        raise PageError(400, sentence(error)) from None
    return redirect(_view(form.fields.get("source", "")))


def _set(form: FormRequest, by: str) -> None:
    with form.control.transaction() as tx:
        source = find_source(tx, form.fields.get("source", ""))
    set_limits(form.control, source, form.fields, form.now, by=by)


def _view(source: str) -> str:
    return "/alerts?" + urlencode({"source": source}) if source else "/alerts"
