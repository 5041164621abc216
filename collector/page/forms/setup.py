"""The setup link, and the first user.

Opening the link changes nothing, because programs that make previews open links too. It moves the
secret from the address into a cookie, and shows a button. The button spends the link.
"""

from __future__ import annotations

import asyncio
from functools import partial

from collector.admin import AdminError, setup, users
from collector.base.http import Answer
from collector.base.secrets import is_secret
from collector.page.access.cookies import SESSION, SETUP
from collector.page.forms.form_types import FormRequest, sentence
from collector.page.frame import redirect
from collector.page.request import PageError

MAKE_A_LINK = "For a link that opens it, run on the server: rollcall-collector setup-link"
CLOSED = f"This page is closed, because no user exists yet. {MAKE_A_LINK}"
USED = f"This link was used already, or it is older than 15 minutes. {MAKE_A_LINK}"


def show_setup(form: FormRequest) -> Answer:
    """The form for the first user; before that, the button that spends the link."""
    token = form.request.query.get("token", "")
    if is_secret(token):
        no_referrer = (b"referrer-policy", b"no-referrer")
        return redirect(setup.PATH, SETUP.write(form.request, token), no_referrer)
    if users.any_user(form.control):
        return redirect("/")
    if form.visitor is not None:
        return form.page("first_user.html")
    token = SETUP.read(form.request)
    if not setup.link_is_valid(form.control, token, form.now):
        raise PageError(403, USED if token else CLOSED)
    return form.page("setup.html")


async def submit_setup(form: FormRequest) -> Answer:
    """Spend the link; or, for somebody who came by it, add the first user."""
    if form.visitor is not None and form.visitor.by == "setup":
        return await _add_first_user(form)
    secret = await asyncio.to_thread(setup.spend_link, form.control, SETUP.read(form.request), form.now)
    if secret is None:
        raise PageError(403, USED)
    return redirect("/", SESSION.write(form.request, secret), SETUP.write(form.request, ""))


async def _add_first_user(form: FormRequest) -> Answer:
    name = form.fields.get("name", "").strip()
    try:
        password = form.new_password()
        add = partial(users.add_user, form.control, name, "admin", password, form.now, by=setup.LINK)
        await form.signing.checks.run(add)
    except AdminError as error:
        return form.page("first_user.html", sentence(error), name=name)
    return redirect("/", *await form.signing.begin(form.request, name, form.now))
