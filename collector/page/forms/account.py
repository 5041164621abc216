"""One's own account: who one is here, and a new password."""

from __future__ import annotations

from functools import partial

from collector.admin import AdminError, users
from collector.base.http import Answer
from collector.page.forms.form_types import FormRequest, sentence
from collector.page.frame import redirect
from collector.page.request import PageError


def show_account(form: FormRequest, wrong: str = "") -> Answer:
    """Name and role, and the form for a new password."""
    if form.visitor is not None and form.visitor.by == "setup":
        return redirect("/setup")
    return form.page("account.html", wrong, changed=form.request.query.get("changed") == "yes")


async def submit_account(form: FormRequest) -> Answer:
    """Change the password, which ends the user's other sessions."""
    visitor = form.visitor
    if visitor is None or visitor.by != "session":
        raise PageError(403, "Only somebody who signed in with a password can change it.")
    current = form.fields.get("current", "")
    checked = await form.signing.right_hash(form.request, visitor.name, current, form.now)
    if not checked:
        return show_account(form, "The current password is wrong.")
    try:
        password = form.new_password()
        change = partial(users.change_password, form.control, visitor.name, checked, password, form.now)
        await form.signing.checks.run(change, known=True)
    except AdminError as error:
        return show_account(form, sentence(error))
    cookies = await form.signing.begin(form.request, visitor.name, form.now)
    return redirect("/account?changed=yes", *cookies)
