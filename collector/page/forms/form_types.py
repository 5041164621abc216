"""What every form gets, and what it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from collector.admin import AdminError
from collector.base.http import Answer
from collector.base.secrets import new_secret
from collector.page.access.cookies import SESSION, form_token
from collector.page.access.sign_in import SignIn
from collector.page.access.visitor import Visitor
from collector.page.frame import Frame
from collector.page.request import PageRequest
from collector.settings import Settings
from collector.store import ControlStore, Stores


@dataclass(frozen=True)
class FormRequest:
    """Somebody asks for a form, or sends one; `visitor` is None if the page does not know them."""

    settings: Settings
    stores: Stores
    frame: Frame
    signing: SignIn
    request: PageRequest
    visitor: Visitor | None
    now: int

    @property
    def control(self) -> ControlStore:
        return self.stores.control

    @property
    def fields(self) -> Mapping[str, str]:
        return self.request.form

    def new_password(self) -> str:
        """A new password, which was typed twice; empty if none. AdminError if the two are not the same."""
        if self.fields.get("password") != self.fields.get("again"):
            raise AdminError("the passwords are not the same")
        return self.fields.get("password", "")

    def page(self, template: str, wrong: str = "", **context: Any) -> Answer:
        """The form as a page, with a token; `wrong` says what was wrong with the one that was sent."""
        secret = self.visitor.secret if self.visitor else SESSION.read(self.request) or new_secret()
        by_token = self.visitor is not None and self.visitor.by == "token"
        headers = () if by_token else (SESSION.write(self.request, secret),)
        context |= {"token": form_token(secret), "wrong": wrong}
        return self.frame.html(template, self.visitor, context, status=403 if wrong else 200, headers=headers)


@dataclass(frozen=True)
class Form:
    """A page with a form: how it is shown, what happens with what was sent, and whether strangers see it."""

    show: Callable[[FormRequest], Answer]
    submit: Callable[[FormRequest], Awaitable[Answer]]
    to_strangers: bool = False


def sentence(error: Exception) -> str:
    """The message of an error as a sentence."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
